use std::{fmt, time::Duration};

use super::{FileError, Problem};
use vocabulary::{NetworkName, Quoted};

/// Why one of our networks has no attachment.
#[derive(Debug, thiserror::Error)]
#[error("network {}: {at}{}", Quoted(.network.as_str()), Late(self))]
pub struct AttachmentError {
    /// The network.
    pub network: NetworkName,
    /// What is wrong, and with which file.
    pub at: Box<FileError>,
    /// How long was waited, where a retry may help.
    pub waited: Option<Duration>,
    pub(super) claim: bool,
    pub(super) migrating: bool,
}

impl AttachmentError {
    /// Adds how long was waited, if a wait could have helped.
    pub(super) fn after(self, waited: Duration) -> Self {
        Self { waited: self.at.problem.may_still_come().then_some(waited), ..self }
    }
}

/// What a message adds after a wait.
struct Late<'e>(&'e AttachmentError);

impl fmt::Display for Late<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AttachmentError { at, waited: Some(waited), claim, migrating, .. } = self.0 else {
            return Ok(());
        };
        write!(f, "{}: {}{}", after(*waited), fix(&at.problem, *claim), target_hint(*migrating, *claim))
    }
}

fn after(waited: Duration) -> String {
    if waited.is_zero() { String::new() } else { format!(" after {}s", waited.as_secs_f64()) }
}

fn fix(problem: &Problem, claim: bool) -> &'static str {
    match (claim, problem) {
        (true, _) => {
            "check that the claim is allocated, that its driver publishes device metadata, and that KubeVirt gives the \
             claim to the sidecar (1.9 gives it to the compute container only)"
        }
        (false, Problem::Missing) => {
            "register the binding with downwardAPI: device-info, so that KubeVirt mounts it"
        }
        (false, Problem::NotJson { .. }) => "look at the pod's annotation kubevirt.io/network-info",
        (false, _) => {
            "KubeVirt lists a network once Multus has reported it: check the pod's network-status, that the NAD's \
             annotation k8s.v1.cni.cncf.io/resourceName names the device plugin's resource and that the VM requests it \
             (KubeVirt 1.7 and older never list a network without device-info)"
        }
    }
}

fn target_hint(migrating: bool, claim: bool) -> &'static str {
    if migrating && !claim {
        "; on a migration target KubeVirt 1.6.2 and older never write it (kubevirt#15634), 1.6.3 does"
    } else {
        ""
    }
}
