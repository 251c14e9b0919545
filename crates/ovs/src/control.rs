//! ovs-vswitchd's control socket (ovs-appctl(8)): what the switch itself says, where the database only says what it
//! was told.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::Value;

use super::{OvsdbError, rpc::Rpc};
use host_io::source_file;

/// Asks one question, such as `dpif/show`.
///
/// # Errors
/// The socket is missing, nobody listens, there is no answer in time, or the switch does not know the question.
pub fn ask(socket: &Path, method: &str, params: &[&str], deadline: Instant) -> Result<String, OvsdbError> {
    let answer = Rpc::connect(socket, deadline)?.call(method, &Value::from(params))?;
    match answer {
        Value::String(text) => Ok(text),
        _ => {
            let (socket, doing) = (socket.to_owned(), method.to_owned());
            Err(OvsdbError::Malformed { socket, doing, problem: "it is not a string".to_owned() })
        }
    }
}

/// The control socket of the ovs-vswitchd whose run directory this is, if there is one. It is named after the program,
/// which distributions call differently, and its process id, unless whoever starts it chooses a name without.
pub fn vswitchd(run_dir: &Path) -> Option<PathBuf> {
    let pid =
        pid(run_dir).map(|pid| [format!("ovs-vswitchd.{pid}.ctl"), format!("ovs-vswitchd-dpdk.{pid}.ctl")]);
    let names = pid.into_iter().flatten().chain(["ovs-vswitchd.ctl".to_owned()]);
    names.map(|name| run_dir.join(name)).find(|path| path.exists())
}

fn pid(run_dir: &Path) -> Option<u32> {
    let written = source_file::read(&run_dir.join("ovs-vswitchd.pid")).ok()??;
    std::str::from_utf8(&written).ok()?.trim().parse().ok()
}

/// Whether the answer to `dpif/show` has this port: only then does the datapath carry its packets.
pub fn has_port(answer: &str, port: &str) -> bool {
    answer
        .lines()
        .filter(|line| line.starts_with("    "))
        .any(|line| line.split_whitespace().next() == Some(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_port_in_the_datapath() {
        let answer = "netdev@ovs-netdev: hit:0 missed:0\n  br1:\n    br1 65534/1: (tap)\n    vhu1 1/2: (dpdkvhostuserclient: \
                      configured_rx_queues=1)\n";
        assert!(has_port(answer, "vhu1") && has_port(answer, "br1"));
        assert!(!has_port(answer, "vhu") && !has_port(answer, "br1:") && !has_port(answer, "1/2:"));
    }

    #[test]
    fn finds_the_socket_by_program_and_process_id() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        assert_eq!(vswitchd(dir.path()), None);
        make("ovs-vswitchd.ctl", "");
        assert_eq!(vswitchd(dir.path()), Some(dir.path().join("ovs-vswitchd.ctl")));
        make("ovs-vswitchd.pid", "42\n");
        make("ovs-vswitchd-dpdk.42.ctl", "");
        assert_eq!(vswitchd(dir.path()), Some(dir.path().join("ovs-vswitchd-dpdk.42.ctl")));
        make("ovs-vswitchd.42.ctl", "");
        assert_eq!(vswitchd(dir.path()), Some(dir.path().join("ovs-vswitchd.42.ctl")));
        make("ovs-vswitchd.pid", "../x");
        assert_eq!(vswitchd(dir.path()), Some(dir.path().join("ovs-vswitchd.ctl")));
    }
}
