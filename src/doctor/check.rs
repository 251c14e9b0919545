//! What is wrong with a pod.

use std::collections::BTreeMap;

use super::snapshot::{Behind, Container, Link, Plugin, Sidecar, Snapshot};
use crate::attachment::{Attachment, Problem};
use crate::config::ContainerName;
use crate::downwardapi::{NetworkInfo, Others};
use findings::{Finding, Id, Report};
use vocabulary::{NetworkName, Quoted, SocketPath};

pub(super) fn check(pod: &Snapshot) -> Report {
    let mut report = Report::default();
    hook_dir(pod, &mut report.findings);
    match &pod.container {
        Container::Sidecar(seen) => sidecar(seen, &mut report),
        Container::Compute(links) => {
            report.facts.push(format!("this is the compute container: {} links", links.len()));
            links.iter().for_each(|each| link(each, &mut report));
        }
    }
    plugin(&pod.plugin, &mut report);
    report
}

/// Nothing in the pod tells whether the cluster has a `Plugin` object, so its symptom is named.
fn plugin(seen: &Plugin, report: &mut Report) {
    match seen {
        Plugin::NotMounted => report.facts.push(
            "KubeVirt's plugin framework is not served here. If the VMI says \"Missing required attribute 'path' in \
             element 'source'\", the cluster has a Plugin object: apply manifests/plugin/legacy-sidecar, then restart \
             the VM"
                .to_owned(),
        ),
        Plugin::Served(socket) => {
            let socket = socket.display();
            let fact = format!("KubeVirt's plugin framework is served: {socket}; the Plugin object must name this path");
            report.facts.push(fact);
        }
        Plugin::Missing(socket) => report.findings.push(Finding::new(
            Id::PluginSocketMissing,
            socket.display(),
            "the directory is mounted and the socket is missing: virt-launcher waits 30 s for it and refuses the VM",
            "use the same file name in the Plugin object's socketPath and in the sidecar's VHOSTUSER_PLUGIN_SOCKET; if it is \
             the same, update the sidecar's image",
        )),
    }
}

fn hook_dir(pod: &Snapshot, findings: &mut Vec<Finding>) {
    let path = pod.hook_dir.display();
    match pod.writable {
        // A pod with the plugin framework alone has none.
        None if matches!(pod.container, Container::Compute(_)) => {}
        None => findings.push(Finding::new(
            Id::HookDirMissing,
            &path,
            "the hook directory is missing: this is not a container of a VM with a sidecar, or the volume is elsewhere",
            "run this in the pod's container hook-sidecar-0, or pass the directory with --hook-dir",
        )),
        Some(false) => findings.push(Finding::new(
            Id::HookDirNotWritable,
            &path,
            "the hook directory is not writable: the sidecar cannot create its socket and its links",
            "run it as the user that KubeVirt assigns (uid 107), without its own securityContext",
        )),
        Some(true) => {}
    }
}

fn sidecar(seen: &Sidecar, report: &mut Report) {
    let findings = &mut report.findings;
    match &seen.container_name {
        _ if !seen.hooks => report.facts.push("no hooks: only the plugin framework is served".to_owned()),
        None => report.facts.push("no CONTAINER_NAME: KubeVirt 1.5 or older, with one hook directory for all sidecars".into()),
        Some(name) if ContainerName::parse(name).is_none() => findings.push(Finding::new(
            Id::ContainerName,
            format_args!("CONTAINER_NAME = {}", Quoted(name)),
            "not a KubeVirt sidecar name ('hook-sidecar-<N>'): the domain would name a directory that compute does not have",
            "remove CONTAINER_NAME from the image and its environment: KubeVirt 1.6 and later set it",
        )),
        Some(name) => report.facts.push(format!("this is {name}")),
    }
    match &seen.info {
        Ok(info) => networks(seen, info, report),
        Err(_) if seen.claims => {
            report.facts.push("the VM's networks are DRA claims: no network-info".to_owned())
        }
        Err(problem) => findings.push(unreadable(seen, problem)),
    }
}

fn unreadable(seen: &Sidecar, problem: &Problem) -> Finding {
    let place = seen.network_info.display();
    let id = match problem {
        Problem::Missing => Id::NetworkInfoMissing,
        _ => Id::NetworkInfoUnusable,
    };
    let remedy = match problem {
        Problem::Missing => {
            "register the binding with downwardAPI: device-info (kubectl edit kubevirt -A) and restart the VM"
        }
        problem if problem.may_still_come() => {
            "wait for Multus; then: kubectl get pod <pod> -o jsonpath='{.metadata.annotations}' | grep network-info"
        }
        _ => "check the mount and its permissions in the sidecar: ls -l /etc/podinfo",
    };
    Finding::new(id, &place, format_args!("network-info {problem}: the VM's networks are unknown"), remedy)
}

fn networks(seen: &Sidecar, info: &NetworkInfo, report: &mut Report) {
    let place = seen.network_info.display();
    let Others { usable, unusable } = info.others(&[]);
    for (name, refusal) in &unusable {
        report.findings.push(Finding::new(
            Id::NetworkUnusable,
            format_args!("{place}, network {}", Quoted(name)),
            format_args!("the network's device is unusable: {refusal}"),
            "correct its NAD, then restart the VM: kubectl get net-attach-def -A -o yaml",
        ));
    }
    if usable.is_empty() && unusable.is_empty() && !seen.claims {
        report.findings.push(Finding::new(
            Id::NetworkInfoNoDevice,
            &place,
            "network-info lists no network with a vhost-user device: no NIC gets a socket",
            "name the device plugin's resource in the NAD (annotation k8s.v1.cni.cncf.io/resourceName) and request it \
             in the VM (spec.template.spec.domain.resources)",
        ));
    }
    if seen.made.is_none() {
        report.facts.push("no hook call yet: the first one creates the links".to_owned());
    }
    let mut by_name: BTreeMap<&NetworkName, Vec<&Attachment>> = BTreeMap::new();
    usable.iter().for_each(|(network, found)| by_name.entry(network).or_default().push(found));
    for (network, attachments) in by_name {
        match attachments.as_slice() {
            [one] => of_network(seen, network, one, report),
            several => report.findings.push(Finding::new(
                Id::NetworkTwice,
                format_args!("{place}, network '{network}'"),
                format_args!("the network is listed {} times: each needs one socket", several.len()),
                "give each network of the VM its own name",
            )),
        }
    }
}

fn of_network(seen: &Sidecar, network: &NetworkName, attachment: &Attachment, report: &mut Report) {
    let Attachment { socket, mode, .. } = attachment;
    report.facts.push(format!("network {network}: {socket}, {}", mode.both_ends()));
    let name = network.pod_interface();
    if let Err(error) = SocketPath::try_from(seen.compute.join(&name).join(socket.file_name())) {
        report.findings.push(Finding::new(
            Id::PathTooLong,
            format_args!("{}, network '{network}', path = {socket}", seen.network_info.display()),
            format_args!("QEMU cannot use the socket's path through the link: {error}"),
            "give the socket a shorter file name in the device plugin, such as vhost.sock",
        ));
    }
    let Some(made) = &seen.made else { return };
    let (path, wanted) = (seen.links.join(&name), socket.parent());
    let found = made.iter().find(|(link, _)| *link == name).map(|(_, target)| target.as_str());
    if found != Some(wanted.as_str()) {
        report.findings.push(Finding::new(
            Id::LinkWrong,
            format_args!(
                "{} -> {}",
                path.display(),
                found.map_or("nothing".to_owned(), |to| Quoted(to).to_string())
            ),
            format_args!(
                "the link of network '{network}' should point to {wanted}: QEMU finds no socket directory"
            ),
            format_args!(
                "find in the sidecar's log why it refused the call: kubectl logs <pod> -c {}",
                if seen.hooks { "hook-sidecar-0" } else { "plugin-vhostuser" }
            ),
        ));
    }
}

fn link(link: &Link, report: &mut Report) {
    let place = format_args!("{} -> {}", link.path.display(), Quoted(&link.target)).to_string();
    match link.behind {
        Behind::Directory => report.facts.push(place),
        Behind::Nothing => report.findings.push(Finding::new(
            Id::LinkBroken,
            place,
            "there is no such directory in compute: the pod does not have the device (QEMU: 'Failed to bind socket … No \
             such file or directory')",
            "request the NAD's resource in the VM, once for each NIC: kubectl get pod <pod> -o \
             jsonpath='{.spec.containers[*].resources}'",
        )),
        Behind::ReadOnly => report.findings.push(Finding::new(
            Id::LinkNotWritable,
            place,
            "this user cannot write to the directory: where the guest listens, QEMU gets 'Permission denied'",
            "set sockets.owner of the device plugin to compute's user (uid 107); in mode 'client' this is correct",
        )),
    }
}
