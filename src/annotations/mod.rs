//! What a VM owner may set by annotation: `vhostuser.network/<setting>` for all our NICs of the VM,
//! `vhostuser.network/<setting>.<interface>` for one. The second wins.

use std::collections::{BTreeMap, BTreeSet};

use crate::vmi::Vmi;
use vocabulary::{Expected, Mtu, QueuePairs, Quoted, ReconnectTimeout, RingSize};

/// The prefix of our annotations. We own it: unknown keys under it are refused.
pub const PREFIX: &str = "vhostuser.network/";

/// The settings of one NIC; what is not set is left to the sidecar's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NicSettings {
    /// `queue-pairs`
    pub queue_pairs: Option<QueuePairs>,
    /// `rx-queue-size`
    pub rx_queue_size: Option<RingSize>,
    /// `tx-queue-size`
    pub tx_queue_size: Option<RingSize>,
    /// `mtu`
    pub mtu: Option<Mtu>,
    /// `reconnect-timeout`
    pub reconnect_timeout: Option<ReconnectTimeout>,
    /// `target-dev`
    pub target_dev: Option<bool>,
}

/// Reads a value into its field.
type Parser = fn(&mut NicSettings, &str) -> Result<(), Expected>;

/// Each setting's name with its parser.
const KNOWN: [(&str, Parser); 6] = [
    ("queue-pairs", |settings, value| parse(&mut settings.queue_pairs, value)),
    ("rx-queue-size", |settings, value| parse(&mut settings.rx_queue_size, value)),
    ("tx-queue-size", |settings, value| parse(&mut settings.tx_queue_size, value)),
    ("mtu", |settings, value| parse(&mut settings.mtu, value)),
    ("reconnect-timeout", |settings, value| parse(&mut settings.reconnect_timeout, value)),
    ("target-dev", |settings, value| {
        settings.target_dev = Some(value.parse().map_err(|_| Expected("true or false"))?);
        Ok(())
    }),
];

fn parse<T: std::str::FromStr<Err = Expected>>(field: &mut Option<T>, value: &str) -> Result<(), Expected> {
    *field = Some(value.parse()?);
    Ok(())
}

/// An annotation that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationError {
    /// No such setting.
    #[error(
        "annotation {}: unknown setting, expected one of {}; append '.<interface>' to set it for one NIC", Quoted(.0),
        KNOWN.map(|(name, _)| name).join(", ")
    )]
    UnknownSetting(String),
    /// A value that the setting does not accept.
    #[error("annotation {}: invalid value {}, expected {expected}", Quoted(.annotation), Quoted(.value))]
    InvalidValue {
        /// The annotation's key.
        annotation: String,
        /// Its value.
        value: String,
        /// What it accepts.
        expected: String,
    },
    /// The interface after the dot is not one that a setting could be for.
    #[error(
        "annotation {}: the VM has no interface {} that uses a network binding plugin: correct the annotation or its \
         interface in the VM", Quoted(.annotation), Quoted(.interface)
    )]
    NoSuchInterface {
        /// The annotation's key.
        annotation: String,
        /// The interface it names.
        interface: String,
    },
}

/// All annotations under our prefix, even those for NICs of another sidecar of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotations {
    for_all: NicSettings,
    for_one: BTreeMap<String, NicSettings>,
}

impl Annotations {
    /// Reads and checks the VMI's annotations. `max` is the upper limit of `queue-pairs`.
    pub fn read(vmi: &Vmi, max: QueuePairs) -> Result<Self, AnnotationError> {
        let ours = vmi.annotations.iter();
        let ours =
            ours.filter_map(|(key, value)| Some((key.as_str(), key.strip_prefix(PREFIX)?, value.as_str())));
        let (for_one, for_all): (Vec<_>, Vec<_>) = ours.partition(|(_, rest, _)| rest.contains('.'));
        let with_binding = vmi.interfaces.iter().filter(|found| found.binding.is_some());
        let interfaces: BTreeSet<&str> = with_binding.map(|found| found.name.as_str()).collect();
        let mut annotations = Self { for_all: NicSettings::default(), for_one: BTreeMap::new() };
        for (annotation, setting, value) in for_all {
            annotations.for_all.set(annotation, setting, value, max)?;
        }
        for (annotation, rest, value) in for_one {
            let (setting, interface) = rest.split_once('.').unwrap_or((rest, ""));
            let settings = annotations.for_one.entry(interface.to_owned()).or_insert(annotations.for_all);
            settings.set(annotation, setting, value, max)?;
            if !interfaces.contains(interface) {
                let (annotation, interface) = (annotation.to_owned(), interface.to_owned());
                return Err(AnnotationError::NoSuchInterface { annotation, interface });
            }
        }
        Ok(annotations)
    }

    /// The settings of one NIC.
    pub fn of(&self, interface: &str) -> NicSettings {
        self.for_one.get(interface).copied().unwrap_or(self.for_all)
    }
}

impl NicSettings {
    fn set(
        &mut self,
        annotation: &str,
        setting: &str,
        value: &str,
        max: QueuePairs,
    ) -> Result<(), AnnotationError> {
        let annotation = annotation.to_owned();
        let Some((_, parser)) = KNOWN.iter().find(|(name, _)| *name == setting) else {
            return Err(AnnotationError::UnknownSetting(annotation));
        };
        let expected = match parser(self, value) {
            Err(Expected(expected)) => expected.to_owned(),
            Ok(()) if self.queue_pairs > Some(max) => {
                format!("at most {max}, the sidecar's --max-queue-pairs")
            }
            Ok(()) => return Ok(()),
        };
        Err(AnnotationError::InvalidValue { annotation, value: value.to_owned(), expected })
    }
}

#[cfg(test)]
mod tests;
