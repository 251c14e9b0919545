use std::path::Path;

use super::{Attachment, FileError, Problem, Resolved};
use crate::config::Sources;
use crate::downwardapi::{self, NetworkInfo, Others};
use crate::dra;
use crate::plan::Warning;
use crate::vmi::{NetworkSource, Vmi};
use vocabulary::NetworkName;

/// What the sources hold at one moment, read and parsed.
pub(crate) struct Seen {
    file: String,
    info: Result<NetworkInfo, Problem>,
    /// Of all binding-plugin NICs whose network is a DRA claim.
    claims: Vec<(NetworkName, Result<Attachment, FileError>)>,
}

impl Seen {
    pub(crate) fn read(vmi: &Vmi, sources: &Sources) -> Self {
        let Sources { network_info, dra_dir, wait: _ } = sources;
        Self::new(network_info.display().to_string(), downwardapi::read(network_info), vmi, Some(dra_dir))
    }

    /// With a network-info read already and the metadata below a folder, if there is one.
    pub(crate) fn new(
        file: String,
        info: Result<NetworkInfo, Problem>,
        vmi: &Vmi,
        dra_dir: Option<&Path>,
    ) -> Self {
        Self { file, info, claims: dra_dir.map(|dir| claims(vmi, dir)).unwrap_or_default() }
    }

    pub(super) fn attachment(&self, network: &NetworkName, claim: bool) -> Result<Attachment, FileError> {
        if claim {
            let found = self.claims.iter().find(|(name, _)| name == network);
            let missing = || FileError { file: "device metadata".to_owned(), problem: Problem::Missing };
            return found.map_or_else(|| Err(missing()), |(_, result)| result.clone());
        }
        let found = self.info.as_ref().map_err(Clone::clone).and_then(|info| info.attachment(network));
        let listed = found.and_then(|found| found.ok_or(Problem::NotListed));
        listed.map_err(|problem| FileError { file: self.file.clone(), problem })
    }

    /// Networks of other sidecars that this container sees. One that is not ready or unusable is not our failure.
    pub(super) fn add_others(&self, own: &[NetworkName], resolved: &mut Resolved) {
        if let Ok(info) = &self.info {
            let Others { usable, unusable } = info.others(own);
            resolved.others.extend(usable);
            resolved.unusable.extend(unusable.iter().filter_map(|(network, _)| network.parse().ok()));
            resolved.warnings.extend(unusable.into_iter().map(|(network, why)| skipped(network, &why)));
        }
        for (network, found) in self.claims.iter().filter(|(network, _)| !own.contains(network)) {
            match found {
                Ok(attachment) => drop(resolved.others.insert(network.clone(), attachment.clone())),
                Err(error) if error.problem.may_still_come() => {}
                Err(error) => resolved.warnings.push(skipped(network.to_string(), &error.problem)),
            }
        }
    }
}

fn skipped(network: String, problem: &Problem) -> Warning {
    Warning::OtherSkipped { network, reason: problem.to_string() }
}

fn claims(vmi: &Vmi, dra_dir: &Path) -> Vec<(NetworkName, Result<Attachment, FileError>)> {
    let plugged = vmi.interfaces.iter().filter(|found| found.binding.is_some() && !found.is_absent());
    let claims = plugged.filter_map(|interface| match &vmi.network(&interface.name)?.source {
        NetworkSource::Claim(claim) => Some((interface.name.parse().ok()?, claim)),
        _ => None,
    });
    claims.map(|(network, claim)| (network, dra::read(dra_dir, claim))).collect()
}
