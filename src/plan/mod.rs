//! All policy: from the VMI, the attachments and the configuration to the NICs and links that are to be. Pure and
//! total; what can be refused is refused here, before anything is touched.
//!
//! Two steps, so that a VMI's own mistakes are told at once and not after a wait: [`NicRequests::of`] needs only the VMI,
//! [`NicRequests::plan`] also the attachments.

mod binding;
mod error;
mod mac;
mod nic;
mod warning;

use std::collections::BTreeMap;

use crate::attachment::Attachment;
use crate::config::{Layout, NicConfig};
use crate::domain::Nic;
use crate::symlink::StableLink;
use crate::vmi::{Interface, NetworkSource, Vmi};
use vocabulary::{ComputePath, NetworkName, SocketPath};

pub use error::PlanError;
pub use nic::NicRequest;
pub use warning::Warning;

/// Attachments by network.
pub type Attachments = BTreeMap<NetworkName, Attachment>;

/// What one VMI asks of us: the NICs that are ours, checked as far as the VMI tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicRequests {
    /// Our NICs, in the VMI's order; none if the VMI has nothing for us.
    pub nics: Vec<NicRequest>,
    /// What is worth telling, though nothing is wrong.
    pub warnings: Vec<Warning>,
    several_bindings: bool,
}

/// The VMI's interfaces that are ours and not absent; none means that the domain is none of our business.
pub fn our_interfaces<'v>(vmi: &'v Vmi, config: &NicConfig) -> Result<Vec<&'v Interface>, PlanError> {
    let binding = binding::ours(vmi, config.binding_name.as_deref())?;
    let ours =
        |found: &&Interface| binding.is_some() && found.binding.as_deref() == binding && !found.is_absent();
    Ok(vmi.interfaces.iter().filter(ours).collect())
}

/// What is to be: decided, not yet done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Our NICs, in the VMI's order.
    pub nics: Vec<Nic>,
    /// The VMI's order of all its interfaces.
    pub order: Vec<NetworkName>,
    /// Links for our networks.
    pub links: Vec<StableLink>,
    /// Links for every other vhost-user network that the sources list. They are for other sidecars' NICs, so one
    /// that cannot be made is no reason to refuse ours.
    pub other_links: Vec<StableLink>,
    /// What is worth telling, though nothing is wrong.
    pub warnings: Vec<Warning>,
}

impl NicRequests {
    /// What the VMI says of the interfaces that are ours. `architecture` is the domain's word for it, for a VMI that
    /// has none.
    pub fn of(
        vmi: &Vmi,
        ours: &[&Interface],
        architecture: Option<&str>,
        config: &NicConfig,
    ) -> Result<Self, PlanError> {
        let rules = nic::Rules::of(vmi, architecture, config)?;
        let nics =
            ours.iter().map(|interface| rules.request(vmi, interface)).collect::<Result<Vec<_>, _>>()?;
        check_names(&nics)?;
        let mut warnings = Vec::from_iter(rules.queues_cut(ours));
        let names: Vec<String> = vmi.binding_names().into_iter().map(str::to_owned).collect();
        let several_bindings = names.len() > 1;
        if several_bindings {
            warnings.push(Warning::SeveralBindings { names });
        }
        Ok(Self { nics, warnings, several_bindings })
    }

    /// Decides everything. `others` are attachments of networks that are not ours; they get links too, because with
    /// several sidecars it is a matter of luck whose directory a migrated domain names.
    pub fn plan(
        self,
        vmi: &Vmi,
        attachments: &Attachments,
        others: &Attachments,
        config: &NicConfig,
    ) -> Result<Plan, PlanError> {
        let Self { nics: requests, mut warnings, several_bindings } = self;
        let mut nics = Vec::with_capacity(requests.len());
        for request in requests {
            let attachment = attachments
                .get(&request.network)
                .ok_or_else(|| PlanError::Unresolved { network: request.network.clone() })?;
            warnings.extend(warning::host_specific(&request.network, attachment));
            warnings.extend(request.attachment_warnings(vmi, attachment));
            check_not_a_link(&request, attachment, &config.layout)?;
            let socket = socket_path(&request, attachment, several_bindings, &config.layout)?;
            nics.push(request.complete(vmi, attachment, socket)?);
        }
        check_macs(vmi, &nics)?;
        check_sockets(vmi, &nics, others)?;
        let order = vmi.interfaces.iter().filter(|found| !found.is_absent());
        Ok(Plan {
            order: order.filter_map(|found| found.name.parse().ok()).collect(),
            links: links(attachments),
            other_links: links(others),
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
/// One exception, decided from the VMI alone and so alike on both nodes of a migration: with several bindings the
/// link's directory is a matter of luck, while a DRA driver's path below `<pod claim>/<request>/` is the same
/// everywhere.
fn socket_path(
    request: &NicRequest,
    attachment: &Attachment,
    several_bindings: bool,
    layout: &Layout,
) -> Result<SocketPath, PlanError> {
    let path = match &request.source {
        NetworkSource::Claim(claim) if several_bindings && is_below(&attachment.socket, claim) => {
            attachment.socket.clone()
        }
        _ => layout.compute.join(&request.network.pod_interface()).join(attachment.socket.file_name()),
    };
    SocketPath::try_from(path)
        .map_err(|error| PlanError::SocketPath { network: request.network.clone(), error })
}

/// A link into the links' own directory would lead to itself.
fn check_not_a_link(request: &NicRequest, attachment: &Attachment, layout: &Layout) -> Result<(), PlanError> {
    if attachment.socket.is_in(&layout.compute) {
        let (network, path) = (request.network.clone(), attachment.socket.to_string());
        return Err(PlanError::SocketAmongLinks { network, path });
    }
    Ok(())
}

fn is_below(socket: &ComputePath, claim: &crate::vmi::Claim) -> bool {
    let end = format!("/{}/{}/{}", claim.pod_claim, claim.request, socket.file_name());
    socket.as_str().ends_with(&end)
}

fn check_names(requests: &[NicRequest]) -> Result<(), PlanError> {
    for (index, request) in requests.iter().enumerate() {
        if requests[..index].iter().any(|earlier| earlier.network == request.network) {
            return Err(PlanError::DuplicateInterface { network: request.network.clone() });
        }
    }
    Ok(())
}

fn check_macs(vmi: &Vmi, nics: &[Nic]) -> Result<(), PlanError> {
    for (index, nic) in nics.iter().enumerate() {
        let own = nics[..index]
            .iter()
            .find(|earlier| earlier.mac == nic.mac)
            .map(|earlier| earlier.network.as_str());
        let foreign = vmi.interfaces.iter().filter(|found| !found.is_absent()).find(|found| {
            let mac = found.mac_address.as_deref().and_then(|text| text.parse().ok());
            mac == Some(nic.mac) && !nics.iter().any(|nic| nic.network.as_str() == found.name)
        });
        if let Some(other) = own.or(foreign.map(|found| found.name.as_str())) {
            return Err(PlanError::DuplicateMac {
                network: nic.network.clone(),
                mac: nic.mac,
                other: other.to_owned(),
            });
        }
    }
    Ok(())
}

fn check_sockets(vmi: &Vmi, nics: &[Nic], others: &Attachments) -> Result<(), PlanError> {
    let in_vmi = |network: &NetworkName| {
        vmi.interfaces.iter().any(|found| found.name == network.as_str() && !found.is_absent())
    };
    for (index, nic) in nics.iter().enumerate() {
        let own = nics[..index].iter().map(|earlier| (&earlier.network, &earlier.device_socket));
        let foreign =
            others.iter().filter(|(network, _)| in_vmi(network)).map(|(name, found)| (name, &found.socket));
        if let Some((other, socket)) = own.chain(foreign).find(|(_, socket)| **socket == nic.device_socket) {
            return Err(PlanError::DuplicateSocket {
                network: nic.network.clone(),
                path: socket.to_string(),
                other: other.clone(),
            });
        }
    }
    Ok(())
}
