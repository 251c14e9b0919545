//! The QEMU that libvirt would not start: its own command line for a good domain, with other memory.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::pod::Pod;
use crate::process::Process;
use crate::wait::{seconds, until};

/// Where the guest's RAM is.
#[derive(Clone, Copy)]
pub enum Ram {
    /// As libvirt wrote it for the sidecar's answer.
    Shared,
    /// What QEMU gets from a domain that says nothing of memory.
    Plain,
}

/// Starts QEMU in the pod's compute container, from the command line of the domain's last run there, and waits for the
/// guest to come up.
pub fn start(pod: &Pod, ram: Ram) -> Result<Process> {
    pod.forget_console();
    let log = pod.libvirt.qemu_log(&pod.vm.domain());
    let script = pod.in_dir("qemu.sh");
    fs::write(&script, shell_script(&log, ram, &pod.console_log().display().to_string())?)?;
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--net", "--target", &pod.compute_pid().as_raw_nonzero().to_string()]);
    command.args(["setpriv", "--reuid", "107", "--regid", "107", "--clear-groups", "--bounding-set=-all"]);
    command.arg("--no-new-privs").arg("sh").arg(script);
    let qemu = Process::daemon("QEMU", &mut command, &pod.log("bare-qemu.log"))?;
    until("the guest to come up", seconds(90), || pod.console().contains("GUEST-READY"))?;
    Ok(qemu)
}

/// libvirt logs the command as a shell would take it. What refers to file descriptors and secrets that it handed over
/// is left out, and so is `-S`, which waits for libvirt to say "go".
fn shell_script(log: &str, ram: Ram, console: &str) -> Result<String> {
    let command = log.lines().skip_while(|line| !line.starts_with("LC_ALL="));
    let command = command.take_while(|line| !line.starts_with("20"));
    let mut script = String::from("exec env \\\n");
    for line in command {
        let handed_over = [
            "-S ",
            "-add-fd",
            "-mon ",
            "-chardev socket,id=charmonitor",
            "-object '{\"qom-type\":\"secret\"",
        ];
        if handed_over.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        script.push_str(&match (ram, line) {
            (Ram::Plain, line) if line.contains("\"memory-backend-memfd\"") => plain(line),
            (_, line) if line.contains("id=charserial0,") => {
                format!("-chardev file,id=charserial0,path={console} \\")
            }
            (_, line) => line.to_owned(),
        });
        script.push('\n');
    }
    ensure!(script.contains("qemu-system"), "no command line in the log of the domain's run");
    Ok(script)
}

fn plain(memfd: &str) -> String {
    memfd.replace("memory-backend-memfd", "memory-backend-ram").replace("\"share\":true", "\"share\":false")
}
