//! A virt-launcher pod: a compute container with its own libvirt, a sidecar container, and what is mounted into them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::Pid;

use crate::agent::{Agent, Grants, names};
use crate::device::Device;
use crate::framework::{self, Framework};
use crate::libvirt::Libvirt;
use crate::multus;
use crate::network::inside;
use crate::node::note;
use crate::process::{Process, run};
use crate::sandbox::Sandbox;
use crate::vm::Vm;
use crate::wait::{seconds, until};
use launcher_sim::{Client, Collect, Release, plugin::Pipeline};

/// uid and gid of everything in a pod.
pub const QEMU: u32 = 107;

/// Short, because a unix socket's path has 107 bytes at most.
const PODS: &str = "/run/p";

/// Filled by the first libvirt, so that the others need not ask QEMU for its capabilities again.
const CAPABILITIES: &str = "/run/capabilities";

/// Dropping it ends everything in it.
pub struct Pod {
    name: String,
    dir: PathBuf,
    logs: PathBuf,
    pub vm: Vm,
    pub devices: Vec<Device>,
    sandbox: Sandbox,
    pub grants: Grants,
    pub libvirt: Libvirt,
    /// Stands for virt-launcher's own socket, by which the sidecar knows that the launcher lives.
    launcher_socket: Option<std::os::unix::net::UnixListener>,
    pub sidecar: Option<Process>,
    /// Found once, by discovery, as virt-launcher does.
    hook: Option<Client>,
    framework: Framework,
    compute: Process,
}

impl Pod {
    /// A running pod for `vm` with all its switch ports; virt-launcher has found the sidecar.
    pub fn new(name: &str, vm: &Vm, framework: Framework, agent: &Rc<Agent>, logs: &Path) -> Result<Self> {
        Self::start(name, vm, framework, agent, logs, Device::plug)
    }

    /// One of which Multus does not know.
    pub fn without_ports(name: &str, vm: &Vm, agent: &Rc<Agent>, logs: &Path) -> Result<Self> {
        Self::start(name, vm, Framework::Off, agent, logs, |_, _| Ok(()))
    }

    fn start(
        name: &str,
        vm: &Vm,
        framework: Framework,
        agent: &Rc<Agent>,
        logs: &Path,
        plug: fn(&mut Device, &Sandbox) -> Result<()>,
    ) -> Result<Self> {
        let dir = Path::new(PODS).join(name);
        let grants = Grants::admit(agent, name, &multus::resources(&vm.nics))?;
        let ids = multus::device_ids(&vm.nics, &grants)?;
        let sandbox = Sandbox::new(name)?;
        let devices = vm.nics.iter().zip(&ids).map(|(nic, id)| Device::new(nic, id, &grants));
        let mut devices = devices.collect::<Result<Vec<_>>>()?;
        for device in &mut devices {
            plug(device, &sandbox)?;
        }
        lay_out(&dir, vm, framework)?;
        let mut arguments = vec![dir.display().to_string()];
        arguments.extend(grants.mounts());
        let log = logs.join(format!("{name}-compute.log"));
        let compute = Process::container("/opt/compute.sh", &arguments, &sandbox.network(), &log)?;
        let mut pod = Self {
            name: name.to_owned(),
            libvirt: Libvirt::new(&dir),
            dir,
            logs: logs.to_owned(),
            vm: vm.clone(),
            launcher_socket: None,
            sidecar: None,
            hook: None,
            framework,
            compute,
            devices,
            sandbox,
            grants,
        };
        pod.write_network_info()?;
        pod.await_libvirt()?;
        pod.launcher_socket = Some(pod.listen_as_launcher()?);
        pod.start_sidecar()?;
        Ok(pod)
    }

    /// Multus calls the CNI plugin for each NIC again, and KubeVirt tells the pod what came of it.
    pub fn plug(&mut self) -> Result<()> {
        for device in &mut self.devices {
            device.plug(&self.sandbox)?;
        }
        self.write_network_info()
    }

    /// What the kubelet does to a pod that is to go, once its containers have ended; the device plugin hears of it last.
    pub fn tear_down(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.keep_logs();
        self.launcher_socket = None;
        let _ = self.compute.kill();
        // Without its launcher the sidecar ends by itself, but not at once.
        if let Some(mut sidecar) = self.sidecar.take() {
            let _ = sidecar.kill();
        }
        let mut result = Ok(());
        for device in &mut self.devices {
            result = result.and(device.unplug());
        }
        let _ = fs::remove_dir_all(&self.dir);
        result
    }

    /// The hook volume as the compute container sees it.
    pub fn hooks(&self) -> PathBuf {
        self.dir.join("hooks")
    }

    /// A new sidecar container, until virt-launcher has discovered it.
    pub fn start_sidecar(&mut self) -> Result<()> {
        let network = self.sandbox.network();
        let arguments = [self.dir.display().to_string()];
        let log = self.log("sidecar.log");
        self.sidecar = Some(Process::container("/opt/sidecar.sh", &arguments, &network, &log)?);
        if self.framework.has_hooks() {
            self.hook = Some(self.discover()?);
        }
        Ok(())
    }

    /// virt-launcher's discovery, and `Info`.
    fn discover(&self) -> Result<Client> {
        let release = Release::Main;
        let (layout, pace) = (release.layout(), release.pace());
        let collect = Collect { dir: self.hooks(), layout, pace, sidecars: 1, timeout: seconds(60) };
        let found = block_on(collect.collect())?
            .map_err(|error| anyhow!("discovery in pod {}: {error}", self.name))?;
        found.first().map(|sidecar| sidecar.client()).context("discovery found nothing")
    }

    pub fn hook(&self) -> Result<&Client> {
        self.hook.as_ref().context("the pod has a sidecar")
    }

    /// One call of the hook.
    pub fn on_define_domain(&self, domain_xml: &str) -> Result<String> {
        let answer = block_on(self.hook()?.on_define_domain(domain_xml, self.vm.vmi_json()))?;
        answer.map_err(|status| anyhow!("OnDefineDomain in pod {}: {status}", self.name))
    }

    /// What libvirt is given in one call of a boot.
    pub fn defined(&self, domain_xml: &str) -> Result<String> {
        if self.framework == Framework::Off {
            return self.on_define_domain(domain_xml);
        }
        let answer =
            self.pipeline(async |pipeline| pipeline.define(domain_xml, &self.vm.vmi_json()).await)?;
        answer.map_err(|status| anyhow!("the pipeline in pod {}: {status}", self.name))
    }

    /// A migration target's preparation: one call, whose answer is thrown away.
    pub fn prepare_target(&self) -> Result<()> {
        let domain_xml = self.vm.domain_xml();
        if self.framework == Framework::Off {
            return self.on_define_domain(&domain_xml).map(drop);
        }
        let done = self
            .pipeline(async |pipeline| pipeline.migration_target(&domain_xml, &self.vm.vmi_json()).await)?;
        done.map_err(|status| anyhow!("the pipeline in target pod {}: {status}", self.name))
    }

    fn pipeline<T>(&self, work: impl AsyncFnOnce(&Pipeline<'_>) -> T) -> Result<T> {
        let sidecars: Vec<_> = self.hook.iter().cloned().collect();
        let socket = self.dir.join(framework::SOCKET);
        let plugins = [socket.as_path()];
        let plugins = if self.framework == Framework::AnotherPlugin { &plugins[..0] } else { &plugins[..] };
        block_on(work(&Pipeline { sidecars: &sidecars, plugins }))
    }

    /// What virt-launcher says when QEMU has exited; the plugin framework alone has no such call, and the launcher just
    /// ends. The sidecar must then end with success.
    pub fn shutdown_sidecar(&mut self) -> Result<()> {
        if !self.framework.has_hooks() {
            self.launcher_socket = None;
            return self.await_sidecar_exit(seconds(60)).map(drop);
        }
        block_on(self.hook()?.shutdown())?.map_err(|status| anyhow!("Shutdown: {status}"))?;
        self.await_sidecar_exit(seconds(60)).map(drop)
    }

    /// Waits for the sidecar to end with success, and says how long that took.
    pub fn await_sidecar_exit(&mut self, limit: Duration) -> Result<Duration> {
        let started = std::time::Instant::now();
        let mut sidecar = self.sidecar.take().context("the pod has a sidecar")?;
        let status = sidecar.exit_status(limit)?;
        anyhow::ensure!(status.success(), "the sidecar of pod {} ended with {status}", self.name);
        Ok(started.elapsed())
    }

    /// The compute container dies with all that is in it, as after an OOM kill: nobody calls `Shutdown`.
    pub fn kill_compute(&mut self) -> Result<()> {
        self.launcher_socket = None;
        self.compute.kill()
    }

    /// QEMU alone dies, and can clean nothing up.
    pub fn kill_qemu(&self) -> Result<()> {
        let pid_file = self.dir.join(format!("run/libvirt/qemu/run/{}.pid", self.vm.domain()));
        let number = fs::read_to_string(&pid_file).with_context(|| pid_file.display().to_string())?;
        let target = self.compute_pid().as_raw_nonzero().to_string();
        run(seconds(60), &["nsenter", "--pid", "--target", &target, "kill", "-KILL", number.trim()]).map(drop)
    }

    pub fn console(&self) -> String {
        fs::read_to_string(self.console_log()).unwrap_or_default()
    }

    pub fn in_dir(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A log file of this pod that outlives it.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{}-{name}", self.name))
    }

    pub fn compute_pid(&self) -> Pid {
        self.compute.pid()
    }

    /// Before another boot in the same pod.
    pub fn forget_console(&self) {
        let _ = fs::remove_file(self.console_log());
    }

    pub fn console_log(&self) -> PathBuf {
        self.dir.join("private").join(&self.vm.uid).join("virt-serial0-log")
    }

    /// As kubelet does it: a new directory, and `..data` renamed over to it. Without an attachment the file is empty.
    fn write_network_info(&self) -> Result<()> {
        let attachments = self.devices.iter().filter_map(|device| device.attachment.as_ref());
        let content = multus::network_info(attachments)?;
        let podinfo = self.dir.join("podinfo");
        let version = format!("..2026_01_01.{}", names(&podinfo)?.len());
        make_dir(&podinfo.join(&version), QEMU, 0o755)?;
        fs::write(podinfo.join(&version).join("network-info"), content)?;
        symlink(&version, podinfo.join("..data_tmp"))?;
        fs::rename(podinfo.join("..data_tmp"), podinfo.join("..data"))?;
        let link = podinfo.join("network-info");
        if fs::symlink_metadata(&link).is_err() {
            symlink("..data/network-info", link)?;
        }
        Ok(())
    }

    fn await_libvirt(&self) -> Result<()> {
        until("libvirt to answer", seconds(40), || self.libvirt.virsh(seconds(60), &["list"]).is_ok())
    }

    /// The sidecar shares the pod's network namespace, so it finds this in its own `/proc/net/unix`.
    fn listen_as_launcher(&self) -> Result<std::os::unix::net::UnixListener> {
        let socket = self.dir.join("private/launcher-sock");
        inside(&self.sandbox.network(), || Ok(std::os::unix::net::UnixListener::bind(socket)?))
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
        // Whatever is left behind fails the run's last test.
        if let Err(error) = self.end() {
            note(&format!("pod {} is gone, but {error:#}", self.name));
        }
    }
}

/// The pod's volumes and libvirt's configuration, on the node.
fn lay_out(dir: &Path, vm: &Vm, framework: Framework) -> Result<()> {
    let _ = fs::remove_dir_all(dir);
    // Each an emptyDir of a pod with fsGroup 107, and in it the sub-directory that kubelet makes for the sidecar.
    for volume in framework.volumes() {
        make_dir(&dir.join(volume), 0, 0o2777)?;
    }
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
    Ok(fs::write(dir.join("config/libvirt/qemu.conf"), qemu_conf(dir))?)
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
fn make_dir(dir: &Path, owner: u32, mode: u32) -> Result<()> {
    fs::create_dir_all(dir)?;
    chown(dir, Some(owner), Some(QEMU))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).with_context(|| dir.display().to_string())
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}
