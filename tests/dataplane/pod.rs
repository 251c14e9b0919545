//! A virt-launcher pod: a compute container with its own libvirt, a sidecar container, and what is mounted into them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::Pid;
use serde_json::json;

use crate::device::Device;
use crate::launcher::{Client, Collect, Release};
use crate::libvirt::Libvirt;
use crate::network::inside;
use crate::process::Process;
use crate::vm::{Mode, Vm};
use crate::wait::{seconds, until};

/// uid and gid of everything in a pod.
pub(crate) const QEMU: u32 = 107;

/// Short, because a unix socket's path has 107 bytes at most.
const PODS: &str = "/run/p";

/// Filled by the first libvirt, so that the others need not ask QEMU for its capabilities again.
const CAPABILITIES: &str = "/run/capabilities";

/// Dropping it ends everything in it.
pub(crate) struct Pod {
    name: String,
    dir: PathBuf,
    logs: PathBuf,
    pub(crate) vm: Vm,
    pub(crate) devices: Vec<Device>,
    pub(crate) libvirt: Libvirt,
    /// Stands for virt-launcher's own socket, by which the sidecar knows that the launcher lives.
    launcher_socket: Option<std::os::unix::net::UnixListener>,
    pub(crate) sidecar: Option<Process>,
    /// Found once, by discovery, as virt-launcher does.
    hook: Option<Client>,
    compute: Process,
}

impl Pod {
    /// A running pod for `vm` with all its switch ports; virt-launcher has found the sidecar.
    pub(crate) fn new(name: &str, vm: &Vm, logs: &Path) -> Result<Self> {
        let mut pod = Self::without_ports(name, vm, logs)?;
        for device in &mut pod.devices {
            device.plug()?;
        }
        Ok(pod)
    }

    pub(crate) fn without_ports(name: &str, vm: &Vm, logs: &Path) -> Result<Self> {
        let dir = Path::new(PODS).join(name);
        let devices = vm.nics.iter().map(Device::new).collect::<Result<Vec<_>>>()?;
        lay_out(&dir, vm, &devices)?;
        let mut arguments = vec![dir.display().to_string()];
        arguments.extend(devices.iter().map(Device::mount));
        let log = logs.join(format!("{name}-compute.log"));
        let compute = Process::container("/opt/compute.sh", &arguments, None, &log)?;
        let mut pod = Self {
            name: name.to_owned(),
            libvirt: Libvirt::new(&dir),
            dir,
            logs: logs.to_owned(),
            vm: vm.clone(),
            devices,
            launcher_socket: None,
            sidecar: None,
            hook: None,
            compute,
        };
        pod.write_network_info()?;
        pod.await_libvirt()?;
        pod.launcher_socket = Some(pod.listen_as_launcher()?);
        pod.start_sidecar()?;
        Ok(pod)
    }

    /// The hook volume as the compute container sees it.
    pub(crate) fn hooks(&self) -> PathBuf {
        self.dir.join("hooks")
    }

    /// A new sidecar container, until virt-launcher has discovered it.
    pub(crate) fn start_sidecar(&mut self) -> Result<()> {
        let network = self.compute.network();
        let arguments = [self.dir.display().to_string()];
        let log = self.log("sidecar.log");
        self.sidecar = Some(Process::container("/opt/sidecar.sh", &arguments, Some(&network), &log)?);
        self.hook = Some(self.discover()?);
        Ok(())
    }

    /// virt-launcher's discovery, and `Info`.
    fn discover(&self) -> Result<Client> {
        let release = Release::Main;
        let (layout, pace) = (release.layout(), release.pace());
        let collect = Collect { dir: self.hooks(), layout, pace, sidecars: 1, timeout: seconds(10) };
        let found = block_on(collect.collect())?
            .map_err(|error| anyhow!("discovery in pod {}: {error}", self.name))?;
        found.first().map(|sidecar| sidecar.client()).context("discovery found nothing")
    }

    pub(crate) fn hook(&self) -> Result<&Client> {
        self.hook.as_ref().context("the pod has a sidecar")
    }

    /// One call of the hook.
    pub(crate) fn on_define_domain(&self, domain_xml: &str) -> Result<String> {
        let answer = block_on(self.hook()?.on_define_domain(domain_xml, self.vm.vmi_json()))?;
        answer.map_err(|status| anyhow!("OnDefineDomain in pod {}: {status}", self.name))
    }

    /// What virt-launcher says when QEMU has exited. The sidecar must then end with success.
    pub(crate) fn shutdown_sidecar(&mut self) -> Result<()> {
        block_on(self.hook()?.shutdown())?.map_err(|status| anyhow!("Shutdown: {status}"))?;
        self.await_sidecar_exit(seconds(5)).map(drop)
    }

    /// Waits for the sidecar to end with success, and says how long that took.
    pub(crate) fn await_sidecar_exit(&mut self, limit: Duration) -> Result<Duration> {
        let started = std::time::Instant::now();
        let mut sidecar = self.sidecar.take().context("the pod has a sidecar")?;
        let status = sidecar.exit_status(limit)?;
        anyhow::ensure!(status.success(), "the sidecar of pod {} ended with {status}", self.name);
        Ok(started.elapsed())
    }

    /// The compute container dies with all that is in it, as after an OOM kill: nobody calls `Shutdown`.
    pub(crate) fn kill_compute(&mut self) -> Result<()> {
        self.launcher_socket = None;
        self.compute.kill()
    }

    pub(crate) fn console(&self) -> String {
        fs::read_to_string(self.console_log()).unwrap_or_default()
    }

    pub(crate) fn in_dir(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A log file of this pod that outlives it.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{}-{name}", self.name))
    }

    pub(crate) fn compute_pid(&self) -> Pid {
        self.compute.pid()
    }

    /// Before another boot in the same pod.
    pub(crate) fn forget_console(&self) {
        let _ = fs::remove_file(self.console_log());
    }

    pub(crate) fn console_log(&self) -> PathBuf {
        self.dir.join("private").join(&self.vm.uid).join("virt-serial0-log")
    }

    /// As kubelet does it: a new directory, and `..data` renamed over to it.
    fn write_network_info(&self) -> Result<()> {
        let interfaces: Vec<_> = self.devices.iter().map(Device::network_info).collect();
        let podinfo = self.dir.join("podinfo");
        make_dir(&podinfo.join("..2026_01_01"), QEMU, 0o755)?;
        fs::write(podinfo.join("..2026_01_01/network-info"), json!({"interfaces": interfaces}).to_string())?;
        symlink("..2026_01_01", podinfo.join("..data"))?;
        symlink("..data/network-info", podinfo.join("network-info")).map_err(Into::into)
    }

    fn await_libvirt(&self) -> Result<()> {
        until("libvirt to answer", seconds(40), || self.libvirt.virsh(seconds(20), &["list"]).is_ok())
    }

    /// The sidecar shares the pod's network namespace, so it finds this in its own `/proc/net/unix`.
    fn listen_as_launcher(&self) -> Result<std::os::unix::net::UnixListener> {
        let socket = self.dir.join("private/launcher-sock");
        inside(&self.compute.network(), || Ok(std::os::unix::net::UnixListener::bind(socket)?))
    }

    fn keep_logs(&self) {
        let domain = self.vm.domain();
        let logs = [
            (self.libvirt.qemu_log_file(&domain), "qemu.log"),
            (self.dir.join("libvirtd.log"), "libvirtd.log"),
            (self.console_log(), "console.log"),
        ];
        for (from, name) in logs {
            let _ = fs::copy(from, self.log(name));
        }
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.keep_logs();
        // Ports first: a switch that connects to nothing only fills its log.
        self.devices.iter_mut().for_each(|device| device.port = None);
        let _ = self.compute.kill();
        // Without its launcher the sidecar ends by itself, but not at once.
        if let Some(mut sidecar) = self.sidecar.take() {
            let _ = sidecar.kill();
        }
        for device in &self.devices {
            if device.mode() == Mode::Server {
                let _ = fs::remove_dir_all(device.node_dir());
            }
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The pod's volumes and libvirt's configuration, on the node.
fn lay_out(dir: &Path, vm: &Vm, devices: &[Device]) -> Result<()> {
    let _ = fs::remove_dir_all(dir);
    // An emptyDir of a pod with fsGroup 107, and in it the sub-directory that kubelet makes for the sidecar.
    make_dir(&dir.join("hooks"), 0, 0o2777)?;
    make_dir(&dir.join("hooks/hook-sidecar-0"), 0, 0o2777)?;
    make_dir(&dir.join("podinfo"), 0, 0o755)?;
    for own in
        ["", "private", "run", "config", "config/libvirt", "cache", "cache/libvirt", "cache/libvirt/qemu"]
    {
        make_dir(&dir.join(own), QEMU, 0o755)?;
    }
    make_dir(&dir.join("private").join(&vm.uid), QEMU, 0o755)?;
    make_dir(Path::new(CAPABILITIES), QEMU, 0o755)?;
    symlink(CAPABILITIES, dir.join("cache/libvirt/qemu/capabilities"))?;
    fs::write(dir.join("config/libvirt/libvirtd.conf"), libvirtd_conf(dir)?)?;
    fs::write(dir.join("config/libvirt/qemu.conf"), qemu_conf(dir))?;
    anyhow::ensure!(devices.len() == vm.nics.len(), "a device for each NIC");
    Ok(())
}

fn libvirtd_conf(dir: &Path) -> Result<String> {
    // Two libvirts that take themselves for the same host refuse to migrate.
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let log = dir.join("libvirtd.log");
    Ok(format!(
        "host_uuid = \"{}\"\nlog_outputs = \"2:file:{}\"\nauth_unix_rw = \"none\"\n",
        uuid.trim(),
        log.display()
    ))
}

/// What an unprivileged libvirt in a container cannot or need not do is off, as in virt-launcher.
fn qemu_conf(dir: &Path) -> String {
    format!(
        "stdio_handler = \"file\"\nsecurity_driver = \"none\"\ncgroup_controllers = [ ]\nnamespaces = [ ]\n\
         remember_owner = 0\nhugetlbfs_mount = \"{}/huge\"\n",
        dir.display()
    )
}

/// With an owner and a mode, in group 107.
pub(crate) fn make_dir(dir: &Path, owner: u32, mode: u32) -> Result<()> {
    fs::create_dir_all(dir)?;
    chown(dir, Some(owner), Some(QEMU))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).with_context(|| dir.display().to_string())
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}
