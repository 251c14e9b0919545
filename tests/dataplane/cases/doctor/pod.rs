//! A VM's pod, from its sidecar and from compute.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::same;
use dataplane::boot::{Redefine, define};
use dataplane::doctor::{self, Finding};
use dataplane::node::{Stage, note};
use dataplane::pod::Pod;
use dataplane::process::run;
use dataplane::vm::{Nic, Vm};
use dataplane::wait::seconds;

const NETWORK_INFO: &str = "/etc/podinfo/network-info";
const USERDATA: &str = "/var/run/kubevirt-hooks/hook-sidecar-0/userdata";

/// The container in which something is broken, or looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Container {
    Sidecar,
    Compute,
}

use Container::{Compute, Sidecar};

impl Container {
    /// A command in it: in its namespaces, with its user and environment or as root.
    fn enter(self, pod: &Pod, root: bool) -> Result<Vec<String>> {
        let pid = match self {
            Sidecar => pod.sidecar.as_ref().context("the pod has a sidecar")?.pid(),
            Compute => pod.compute_pid(),
        };
        let mut command = vec!["nsenter".to_owned(), "--mount".into(), "--net".into(), "--pid".into()];
        command.extend(["--target".into(), pid.as_raw_nonzero().to_string()]);
        if !root {
            let user =
                ["setpriv", "--reuid", "107", "--regid", "107", "--clear-groups", "--bounding-set=-all"];
            command.extend(user.map(str::to_owned));
        }
        Ok(command)
    }

    fn shell(self, pod: &Pod, command: &str) -> Result<()> {
        let enter = self.enter(pod, true)?;
        let enter: Vec<&str> = enter.iter().map(String::as_str).collect();
        run(seconds(60), &[&enter[..], &["sh", "-euc", command]].concat()).map(drop)
    }

    fn doctor(self, pod: &Pod, name: &str) -> Result<Vec<Finding>> {
        let enter = self.enter(pod, false)?;
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).args(["env", "-i"]);
        // Only KubeVirt's sidecars are told their names.
        if self == Sidecar {
            command.arg(format!("CONTAINER_NAME={name}"));
        }
        doctor::ask(command.args(["/opt/network-vhostuser-binding", "doctor", "pod"]))
    }
}

/// What is done in a container, or on the node to its volumes; what doctor says then, and how it is undone.
struct Broken<'a> {
    in_container: Option<Container>,
    by: &'a str,
    told: &'a [(Container, &'a str, String)],
    undone_by: &'a str,
}

impl Broken<'_> {
    fn is_told(&self, pod: &Pod) -> Result<()> {
        let shell = |command: &str| match self.in_container {
            Some(container) => container.shell(pod, command),
            None => super::shell(command),
        };
        shell(self.by)?;
        let told = [Sidecar, Compute].into_iter().try_for_each(|container| self.check(container, pod));
        shell(self.undone_by).and(told)
    }

    fn check(&self, container: Container, pod: &Pod) -> Result<()> {
        let told = self.told.iter().filter(|(which, ..)| *which == container);
        let told: Vec<_> = told.map(|(_, id, place)| (*id, place.clone())).collect();
        let found = container.doctor(pod, "hook-sidecar-0")?;
        ensure!(same(&found, &told), "{container:?} after {:?}: {found:#?}, should be {told:#?}", self.by);
        found.iter().for_each(|finding| note(&format!("{container:?}: {}: {}", finding.id, finding.mend)));
        Ok(())
    }
}

pub(crate) fn doctor_tells_what_is_wrong_with_a_pod(stage: &mut Stage<'_>) -> Result<()> {
    let pod = stage.pod("a", &Vm::new(vec![Nic::new("blue")]))?;
    nothing_is_wrong(&pod).context("before the first hook call")?;
    define(&pod, Redefine::Reduced)?;
    nothing_is_wrong(&pod)?;
    let found = Sidecar.doctor(&pod, "my-sidecar")?;
    // The links are looked for where a sidecar of that name would have made them.
    ensure!(same(&found, &[("container-name", "CONTAINER_NAME = 'my-sidecar'".to_owned())]), "{found:#?}");

    let (dir, device) = (pod.devices[0].pod_dir()?, &pod.devices[0].id);
    let hooks = pod.hooks().join("hook-sidecar-0/userdata").display().to_string();
    let link = run(seconds(60), &["ls", &hooks])?;
    let link = link.trim();
    let (seen_by_sidecar, seen_by_compute) =
        (format!("/var/run/kubevirt-hooks/userdata/{link} -> "), format!("{USERDATA}/{link} -> "));
    let info = pod.in_dir("podinfo/..data/network-info").display().to_string();
    let edit = |what: &str| format!("cp {info} {info}.whole; {what}; chmod a+r {info}");
    let whole = format!("mv {info}.whole {info}");
    let sidecar = |id, place: &str| [(Sidecar, id, place.to_owned())];
    let lead = |to: &str| format!("ln -sfn {to} {hooks}/{link}");
    let (lead_away, lead_back) = (lead("/var/run/vhostuser/none"), lead(&dir.display().to_string()));
    let long = "x".repeat(60);
    let table = [
        Broken {
            in_container: None,
            by: &lead_away,
            told: &[
                (Sidecar, "link-wrong", format!("{seen_by_sidecar}'/var/run/vhostuser/none'")),
                (Compute, "link-broken", format!("{seen_by_compute}'/var/run/vhostuser/none'")),
            ],
            undone_by: &lead_back,
        },
        Broken {
            in_container: Some(Compute),
            by: &format!("mount -o remount,bind,ro {}", dir.display()),
            told: &[(Compute, "link-not-writable", format!("{seen_by_compute}'{}'", dir.display()))],
            undone_by: &format!("mount -o remount,bind,rw {}", dir.display()),
        },
        Broken {
            in_container: Some(Sidecar),
            by: "mount -o remount,bind,ro /var/run/kubevirt-hooks",
            told: &sidecar("hook-dir-not-writable", "/var/run/kubevirt-hooks"),
            undone_by: "mount -o remount,bind,rw /var/run/kubevirt-hooks",
        },
        Broken {
            in_container: None,
            by: &edit(&format!("rm {info}; touch {info}")),
            told: &sidecar("network-info-unusable", NETWORK_INFO),
            undone_by: &whole,
        },
        Broken {
            in_container: None,
            by: &edit(&format!("echo '{{\"interfaces\":[]}}' > {info}")),
            told: &sidecar("network-info-no-device", NETWORK_INFO),
            undone_by: &whole,
        },
        Broken {
            in_container: None,
            by: &edit(&format!("sed -i s/vhost.sock/{long}/ {info}")),
            told: &sidecar(
                "path-too-long",
                &format!("{NETWORK_INFO}, network 'blue', path = /var/run/vhostuser/{device}/{long}"),
            ),
            undone_by: &whole,
        },
        Broken {
            in_container: None,
            by: &edit(&format!("sed -i s:/var/run/vhostuser:vhostuser: {info}")),
            told: &sidecar("network-unusable", &format!("{NETWORK_INFO}, network 'blue'")),
            undone_by: &whole,
        },
        Broken {
            in_container: None,
            by: &edit(&format!("sed -i 's/\\[\\(.*\\)\\]/[\\1,\\1]/' {info}")),
            told: &sidecar("network-twice", &format!("{NETWORK_INFO}, network 'blue'")),
            undone_by: &whole,
        },
        Broken {
            in_container: Some(Sidecar),
            by: "mount -t tmpfs tmpfs /etc/podinfo",
            told: &sidecar("network-info-missing", NETWORK_INFO),
            undone_by: "umount /etc/podinfo",
        },
    ];
    table.iter().try_for_each(|broken| broken.is_told(&pod))?;
    nothing_is_wrong(&pod)
}

fn nothing_is_wrong(pod: &Pod) -> Result<()> {
    for container in [Sidecar, Compute] {
        let found = container.doctor(pod, "hook-sidecar-0")?;
        ensure!(found.is_empty(), "{container:?}: {found:#?}");
    }
    Ok(())
}
