//! Which binding name is ours.

use super::error::PlanError;
use crate::vmi::Vmi;
use vocabulary::NetworkName;

/// Our binding name if none is configured and an interface uses this one.
const DEFAULT_NAME: &str = "vhostuser";

/// The configured name, else `vhostuser` if an interface uses it, else the VMI's only binding name; `None` if no
/// interface uses a binding plugin.
///
/// KubeVirt before 1.9 does not pass a sidecar its name. Several names and none of them `vhostuser` is refused:
/// passing the domain through would boot a VM without its NIC.
pub(super) fn ours<'a>(vmi: &'a Vmi, configured: Option<&'a str>) -> Result<Option<&'a str>, PlanError> {
    if configured.is_some() {
        return Ok(configured);
    }
    match vmi.binding_names().as_slice() {
        names if names.contains(&DEFAULT_NAME) => Ok(Some(DEFAULT_NAME)),
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => Err(PlanError::AmbiguousBinding {
            names: several.iter().map(|name| (*name).to_owned()).collect(),
        }),
    }
}

/// A vhost-user network of another binding, where nothing says that the other name is not registered with this image
/// as well. Its NIC would be missing without an error.
pub(super) fn second_name(
    vmi: &Vmi,
    configured: Option<&str>,
    is_vhost_user: impl Fn(&NetworkName) -> bool,
) -> Option<PlanError> {
    if configured.is_some() {
        return None;
    }
    let ours = self::ours(vmi, None).ok()??;
    vmi.interfaces.iter().filter(|found| !found.is_absent()).find_map(|found| {
        let theirs = found.binding.clone().filter(|theirs| theirs != ours)?;
        let network = found.name.parse().ok().filter(&is_vhost_user)?;
        Some(PlanError::SecondName { network, ours: ours.to_owned(), theirs })
    })
}
