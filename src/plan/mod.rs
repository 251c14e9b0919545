//! All policy: from the VMI, the attachments and the configuration to the NICs and links to create. Pure and total; what
//! can be refused is refused here, before anything is touched.
//!
//! Two steps, so that a VMI's own errors are reported at once and not after a wait: [`NicRequests::of`] needs only the
//! VMI, [`NicRequests::plan`] also the attachments.

mod binding;
mod duplicates;
mod error;
mod mac;
mod nic;
mod rules;
mod warning;

use std::collections::{BTreeMap, BTreeSet};

use crate::attachment::Attachment;
use crate::config::{Layout, NicConfig};
use crate::domain::Nic;
use crate::symlink::StableLink;
use crate::vmi::{Interface, NetworkSource, Vmi};
use vocabulary::{ComputePath, NetworkName, SocketPath};

pub(crate) use duplicates::shared_macs;
pub use error::{NicError, PlanError};
pub use nic::NicRequest;
pub use warning::Warning;

/// Attachments by network.
pub type Attachments = BTreeMap<NetworkName, Attachment>;

/// The NICs that one VMI asks us for, validated as far as possible before attachments are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicRequests {
    /// Our NICs, in the VMI's order; none if the VMI has nothing for us.
    pub nics: Vec<NicRequest>,
    /// Logged, never returned.
    pub warnings: Vec<Warning>,
    /// Vhost-user networks that are not ours, and whose device-info cannot be used.
    pub unusable: BTreeSet<NetworkName>,
    /// An earlier call of this boot was answered: KubeVirt cannot recover from a refusal.
    pub answered: bool,
    numbered_at_random: bool,
}

/// The VMI's interfaces that are ours and not absent. If there are none, the domain is not our business.
pub fn our_interfaces<'v>(vmi: &'v Vmi, config: &NicConfig) -> Result<Vec<&'v Interface>, PlanError> {
    let binding = binding::ours(vmi, config.binding_name.as_deref())?;
    let ours =
        |found: &&Interface| binding.is_some() && found.binding.as_deref() == binding && !found.is_absent();
    Ok(vmi.interfaces.iter().filter(ours).collect())
}

/// Everything decided, nothing done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Our NICs, in the VMI's order.
    pub nics: Vec<Nic>,
    /// The VMI's order of all its interfaces.
    pub order: Vec<NetworkName>,
    /// Links for our networks.
    pub links: Vec<StableLink>,
    /// Links for every other vhost-user network that the sources list. They are for other sidecars' NICs, so a
    /// failure to create one does not fail ours.
    pub other_links: Vec<StableLink>,
    /// Logged, never returned.
    pub warnings: Vec<Warning>,
}

impl NicRequests {
    /// Reads the interfaces that are ours. `architecture`: from the domain, used if the VMI names none.
    pub fn of(
        vmi: &Vmi,
        ours: &[&Interface],
        architecture: Option<&str>,
        config: &NicConfig,
    ) -> Result<Self, PlanError> {
        let rules = rules::Rules::of(vmi, architecture, config)?;
        let nics = ours.iter().map(|interface| rules.request(interface)).collect::<Result<Vec<_>, _>>()?;
        duplicates::check_names(&nics)?;
        let mut warnings = Vec::from_iter(rules.queues_cut(ours));
        let names: Vec<String> = vmi.binding_names().into_iter().map(str::to_owned).collect();
        let numbered_at_random = names.len() > 1 && config.layout.numbered;
        if numbered_at_random {
            warnings.push(Warning::SeveralBindings { names });
        }
        Ok(Self { nics, warnings, unusable: BTreeSet::new(), answered: false, numbered_at_random })
    }

    /// Decides everything. `others` are attachments of networks that are not ours; they get links too, because with
    /// several sidecars a migrated domain may name any sidecar's directory.
    pub fn plan(
        self,
        vmi: &Vmi,
        attachments: &Attachments,
        others: &Attachments,
        config: &NicConfig,
    ) -> Result<Plan, PlanError> {
        let Self { nics: requests, mut warnings, unusable, answered, numbered_at_random } = self;
        let is_vhost_user = |network: &_| others.contains_key(network) || unusable.contains(network);
        match binding::second_name(vmi, config.binding_name.as_deref(), is_vhost_user) {
            Some(error) if vmi.migrating || answered => warnings.push(Warning::NotRefused(error)),
            Some(error) => return Err(error),
            None => {}
        }
        let mut nics = Vec::with_capacity(requests.len());
        let links = links(attachments);
        let found: BTreeMap<_, _> = attachments.keys().zip(attachments.values().zip(&links)).collect();
        for request in requests {
            let network = request.network.clone();
            let fail = |reason: NicError| reason.of(&network);
            let &(attachment, link) = found.get(&network).ok_or_else(|| fail(NicError::Unresolved))?;
            warnings.extend(warning::host_specific(&network, attachment));
            warnings.extend(request.attachment_warnings(vmi, attachment));
            let socket =
                socket_path(&request, attachment, link, numbered_at_random, &config.layout).map_err(fail)?;
            nics.push(request.complete(vmi, attachment, socket).map_err(fail)?);
        }
        duplicates::check_macs(&nics)?;
        duplicates::check_sockets(vmi, &nics, others)?;
        let order = vmi.interfaces.iter().filter(|found| !found.is_absent());
        Ok(Plan {
            order: order.filter_map(|found| found.name.parse().ok()).collect(),
            other_links: self::links(others),
            links,
            nics,
            warnings,
        })
    }
}

fn links(attachments: &Attachments) -> Vec<StableLink> {
    let link = |(network, found): (&NetworkName, &Attachment)| StableLink {
        name: network.pod_interface(),
        target: found.socket.parent(),
    };
    attachments.iter().map(link).collect()
}

/// The path QEMU gets: the link and the socket's own file name.
///
/// One exception, decided from the VMI alone and so the same on both nodes of a migration: with several bindings a
/// migrated domain may name any sidecar's directory, while a DRA driver's path below `<pod claim>/<request>/` is the
/// same everywhere.
fn socket_path(
    request: &NicRequest,
    attachment: &Attachment,
    link: &StableLink,
    numbered_at_random: bool,
    layout: &Layout,
) -> Result<SocketPath, NicError> {
    let socket = &attachment.socket;
    if socket.is_in(&layout.compute) {
        // The link would point to its own directory.
        return Err(NicError::SocketAmongLinks(socket.to_string()));
    }
    let path = match &request.source {
        NetworkSource::Claim(claim) if numbered_at_random && is_below(socket, claim) => socket.clone(),
        _ => layout.compute.join(&link.name).join(socket.file_name()),
    };
    SocketPath::try_from(path).map_err(NicError::SocketPath)
}

fn is_below(socket: &ComputePath, claim: &crate::vmi::Claim) -> bool {
    let end = format!("/{}/{}/{}", claim.pod_claim, claim.request, socket.file_name());
    socket.as_str().ends_with(&end)
}
