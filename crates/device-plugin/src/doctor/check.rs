//! What is wrong with a node: hugepages, the socket root, device-info files.

use std::path::Path;

use super::{
    devices,
    snapshot::{Hugepages, InspectedDevice, Root, Snapshot},
    switches,
};
use findings::{Finding, Id, Report};
use host_io::look::Kind;
use vocabulary::Quoted;
use vocabulary::device_info::DeviceInfo;

/// Rights of the root: others may pass through it, and none but root may list it.
const ROOT_MODE: u32 = 0o711;

/// Everything that is wrong.
pub(super) fn check(node: &Snapshot) -> Report {
    let mut findings = Vec::new();
    hugepages(&node.hugepages, &mut findings);
    switches::check(node, &mut findings);
    root(node, &mut findings);
    for device in &node.devices {
        directory(node, device, &mut findings);
        info(node, device, &mut findings);
        devices::check(node, device, &mut findings);
    }
    findings.extend(node.orphans.iter().map(|path| orphan(path)));
    Report { facts: facts(node), findings }
}

fn facts(node: &Snapshot) -> Vec<String> {
    let configured = match &node.scope.domain {
        Some(domain) => format!("{} devices of {domain} are configured", node.devices.len()),
        None => "no configuration: inspecting the defaults and the devices that device-info files describe"
            .to_owned(),
    };
    let mut facts = vec![configured];
    facts.extend(node.hugepages.iter().map(|Hugepages { kib, total, free }| {
        format!("hugepages of {kib} KiB: {total} allocated, {free} free")
    }));
    facts.push("no IOMMU is needed: vhost-user shares memory and passes no hardware to a VM".to_owned());
    facts.extend(switches::facts(node));
    facts.extend(devices::facts(node));
    facts
}

fn hugepages(pools: &[Hugepages], findings: &mut Vec<Finding>) {
    let place = "/sys/kernel/mm/hugepages/*/nr_hugepages";
    let total: u64 = pools.iter().map(|pool| pool.total).sum();
    let free: u64 = pools.iter().map(|pool| pool.free).sum();
    if total == 0 {
        findings.push(Finding::new(
            Id::HugepagesNone,
            format_args!("{place}: 0"),
            "no hugepages are allocated: OVS-DPDK does not start, nor does a VM that asks for them",
            "echo 1024 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages (for good: hugepages=1024 on the \
             kernel's command line), then systemctl restart kubelet",
        ));
    } else if free == 0 {
        findings.push(Finding::new(
            Id::HugepagesUsedUp,
            format_args!("/sys/kernel/mm/hugepages/*/free_hugepages: 0 of {total}"),
            "no hugepage is free: no further VM with hugepages starts here, and OVS cannot make a port of another MTU",
            format_args!("raise {place}, or move a VM away"),
        ));
    }
}

fn root(node: &Snapshot, findings: &mut Vec<Finding>) {
    let path = &node.scope.sockets.host_root;
    let plugin = "run vhostuser-device-plugin on this node: kubectl get pods -A -o wide --field-selector \
                  spec.nodeName=$(hostname) | grep device-plugin";
    let Root { found: Some(found), mount } = &node.root else {
        let problem = "the socket root is missing: the device plugin has not run";
        findings.push(Finding::new(Id::RootMissing, path, problem, plugin));
        return;
    };
    if found.kind != Kind::Directory {
        let problem = "the socket root is not a directory";
        findings.push(Finding::new(Id::RootMissing, path, problem, format_args!("rm {path}, then {plugin}")));
        return;
    }
    if (found.uid, found.gid) != (0, 0) {
        let (place, problem) = (
            format_args!("{path}, owner {}:{}", found.uid, found.gid),
            "the socket root is not root's: its owner can put anything in the place of a device's directory",
        );
        findings.push(Finding::new(Id::RootOwner, place, problem, format_args!("chown 0:0 {path}")));
    }
    if found.mode != ROOT_MODE {
        let place = format_args!("{path}, mode {:04o}", found.mode);
        let problem = "the socket root must have mode 0711: QEMU and the switch pass through it, and nobody else \
                       lists or changes it";
        findings.push(Finding::new(Id::RootMode, place, problem, format_args!("chmod 0711 {path}")));
    }
    mount_of_root(path.as_ref(), mount.as_deref(), plugin, findings);
}

fn mount_of_root(path: &Path, mount: Option<&[String]>, plugin: &str, findings: &mut Vec<Finding>) {
    let shown = path.display();
    match mount {
        None => findings.push(Finding::new(
            Id::RootNotMounted,
            format_args!("/proc/self/mountinfo: no mount at {shown}"),
            "the socket root is not a mount of its own, as seen from here: the device plugin has not made it, or its \
             mount does not leave its container",
            format_args!(
                "give the device plugin's volume of {} mountPropagation: Bidirectional; {plugin}",
                path.parent().unwrap_or(path).display()
            ),
        )),
        Some(options) if !options.iter().any(|option| option == "nosymfollow") => findings.push(Finding::new(
            Id::RootFollowsLinks,
            format_args!("/proc/self/mountinfo: {shown} {}", options.join(",")),
            "the socket root is mounted without nosymfollow: a pod's link can point the switch to another VM's socket",
            format_args!(
                "mount -o remount,bind,nosuid,nodev,noexec,nosymfollow {shown} (Linux 5.10 and later; the device plugin \
                 does it at its start)"
            ),
        )),
        Some(_) => {}
    }
}

fn directory(node: &Snapshot, device: &InspectedDevice, findings: &mut Vec<Finding>) {
    let path = node.scope.sockets.host_root.device(&device.scope.id);
    let shown = path.display();
    let restart = "restart the device plugin: it creates missing directories";
    let Some(found) = device.directory else {
        // What is below a root that is not mounted cannot be seen from here.
        if node.root.mount.is_some() {
            let problem = "the device's directory is missing: a pod with this device does not start";
            findings.push(Finding::new(Id::DirectoryMissing, shown, problem, restart));
        }
        return;
    };
    let access = node.scope.sockets.access_of(device.scope.mode);
    let (uid, gid) = (access.owner.uid, access.owner.gid);
    if (found.uid, found.gid) != (uid, gid) {
        let place = format_args!("{shown}, owner {}:{}", found.uid, found.gid);
        let problem = format_args!(
            "the device's directory should be of {uid}:{gid} (sockets.owner): QEMU gets 'Permission denied'"
        );
        findings.push(Finding::new(
            Id::DirectoryOwner,
            place,
            problem,
            format_args!("chown {uid}:{gid} {shown}"),
        ));
    }
    let mode = access.mode_as_seen();
    if found.mode != mode {
        let place = format_args!("{shown}, mode {:04o}", found.mode);
        let problem = format_args!(
            "the device's directory should have mode {mode:04o} (sockets.mode): others may enter it, or QEMU may not"
        );
        findings.push(Finding::new(
            Id::DirectoryMode,
            place,
            problem,
            format_args!("chmod {mode:04o} {shown}"),
        ));
    }
}

fn info(node: &Snapshot, device: &InspectedDevice, findings: &mut Vec<Finding>) {
    let path = device.info.display();
    let restart = format_args!("restart the device plugin: it writes {path} at its start");
    let said = match &device.said {
        None => {
            let problem =
                "the device-info file is missing: Multus reports no device, and the VM no network-info";
            findings.push(Finding::new(Id::InfoMissing, &path, problem, restart));
            return;
        }
        Some(Err(problem)) => Err(problem.clone()),
        Some(Ok(value)) => DeviceInfo::of(value).map_err(|refusal| refusal.to_string()),
    };
    let said = match said {
        Err(problem) => {
            let problem = format_args!("the device-info file is invalid: {problem}");
            findings.push(Finding::new(Id::InfoUnusable, &path, problem, restart));
            return;
        }
        Ok(said) => said,
    };
    let wanted = node.scope.sockets.in_container(&device.scope.id);
    if said.path != wanted {
        let place = format_args!("{path}, vhost-user.path = {}", Quoted(said.path.as_str()));
        let problem = format_args!(
            "the device-info file names another socket than the configuration (sockets.containerRoot): it should be {wanted}"
        );
        findings.push(Finding::new(Id::InfoPath, place, problem, restart));
    }
    if said.mode != device.scope.mode {
        let place = format_args!("{path}, vhost-user.mode = '{}'", said.mode);
        let problem = format_args!(
            "the device-info file and the configuration (mode of {}) differ: it should be '{}' ({})",
            device.scope.resource,
            device.scope.mode,
            device.scope.mode.both_ends()
        );
        findings.push(Finding::new(Id::InfoMode, place, problem, restart));
    }
}

fn orphan(path: &Path) -> Finding {
    let shown = path.display();
    let problem = "a device-info file of a device that is not configured: a pod that still has it is plugged to a \
                   socket that nobody keeps";
    Finding::new(Id::InfoOrphan, &shown, problem, format_args!("restart the device plugin, or rm {shown}"))
}
