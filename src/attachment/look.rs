use std::time::Duration;

use super::{AttachmentError, Resolved, Seen};
use crate::plan::{Attachments, NicRequest};
use crate::vmi::{NetworkSource, Vmi};
use vocabulary::NetworkName;

/// Finds what is not known yet in what was read, and reports what is wrong before what is late: a wait would only hide it.
pub(super) fn look(
    vmi: &Vmi,
    requests: &[NicRequest],
    known: &Attachments,
    seen: &Seen,
) -> Result<Resolved, AttachmentError> {
    let mut resolved = Resolved::default();
    let mut late = None;
    for request in requests.iter().filter(|request| !known.contains_key(&request.network)) {
        let network = request.network.clone();
        let claim = matches!(request.source, NetworkSource::Claim(_));
        match seen.attachment(&network, claim) {
            Ok(attachment) => drop(resolved.own.insert(network, attachment)),
            Err(at) => {
                let may_still_come = at.problem.may_still_come();
                let error =
                    AttachmentError { network, at: at.into(), waited: None, claim, migrating: vmi.migrating };
                if !may_still_come {
                    return Err(error);
                }
                late.get_or_insert(error);
            }
        }
    }
    if let Some(error) = late {
        return Err(error);
    }
    let own: Vec<NetworkName> = requests.iter().map(|request| request.network.clone()).collect();
    seen.add_others(&own, &mut resolved);
    Ok(resolved)
}

/// Looks once, without a wait.
pub(crate) fn resolve_now(
    vmi: &Vmi,
    requests: &[NicRequest],
    seen: &Seen,
) -> Result<Resolved, AttachmentError> {
    look(vmi, requests, &Attachments::new(), seen).map_err(|error| error.after(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layout, NicConfig, NicDefaults};
    use crate::downwardapi::NetworkInfo;
    use crate::plan::NicRequests;

    fn requests(vmi: &Vmi) -> Vec<NicRequest> {
        let compute = vocabulary::ComputePath::directory("/h").unwrap();
        let config = NicConfig::new(None, Layout::new("/h".into(), &compute, None), NicDefaults::default());
        let ours = crate::plan::our_interfaces(vmi, &config).unwrap();
        NicRequests::of(vmi, &ours, None, &config).unwrap().nics
    }

    /// A wait for the first network would hide for ever what is wrong with the second.
    #[test]
    fn what_is_wrong_comes_before_what_is_late() {
        let vmi = Vmi::parse(
            br#"{"spec":{"domain":{"devices":{"interfaces":[{"name":"late","binding":{"name":"vhostuser"}},
            {"name":"wrong","binding":{"name":"vhostuser"}}]}},
            "networks":[{"name":"late","multus":{}},{"name":"wrong","multus":{}}]}}"#,
        )
        .unwrap();
        let info = br#"{"interfaces":[{"network":"wrong","deviceInfo":{"type":"pci"}}]}"#;
        let look = |info: &[u8]| {
            let seen = Seen::new("f".to_owned(), NetworkInfo::parse(info, "f"), &vmi, None);
            resolve_now(&vmi, &requests(&vmi), &seen).unwrap_err().to_string()
        };
        assert_eq!(
            look(info),
            "network 'wrong': f: deviceInfo.type is 'pci', expected 'vhost-user': the NAD must use a vhost-user CNI plugin and resource"
        );
        assert!(look(b"{}").starts_with("network 'late': f: does not list it: "));
    }
}
