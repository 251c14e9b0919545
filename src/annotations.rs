//! What a VM owner may set by annotation: `vhostuser.network/<setting>` for all our NICs of the VM,
//! `vhostuser.network/<setting>.<interface>` for one. The second wins.

use std::num::NonZeroU32;

use crate::vmi::Vmi;
use vocabulary::{Mtu, QueuePairs, Quoted, RingSize};

/// The prefix of our annotations. Everything under it is ours: what is unknown there is refused.
pub const PREFIX: &str = "vhostuser.network/";

/// The longest time between two attempts to connect, in seconds.
pub const RECONNECT_TIMEOUT_MAX: u32 = 3600;

/// Each setting's name with what it takes.
const KNOWN: [(&str, &str); 6] = [
    ("queue-pairs", "a whole number of queue pairs from 1 to the sidecar's --max-queue-pairs"),
    ("rx-queue-size", "256, 512 or 1024 descriptors"),
    ("tx-queue-size", "256, 512 or 1024 descriptors"),
    ("mtu", "a whole number of bytes from 68 to 65535"),
    ("reconnect-timeout", "a whole number of seconds from 1 to 3600"),
    ("target-dev", "true or false"),
];

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
    /// `reconnect-timeout`, in seconds
    pub reconnect_timeout: Option<NonZeroU32>,
    /// `target-dev`
    pub target_dev: Option<bool>,
}

/// An annotation that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationError {
    /// No such setting.
    #[error("annotation {}: there is no such setting; known are {known}, for one NIC with '.<interface>' behind", Quoted(.annotation), known = known_names())]
    Unknown {
        /// The annotation's key.
        annotation: String,
    },
    /// A value that the setting does not take.
    #[error("annotation {}: the value {} cannot be used, it takes {takes}", Quoted(.annotation), Quoted(.value))]
    BadValue {
        /// The annotation's key.
        annotation: String,
        /// Its value.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
    /// The interface behind the dot is not one that a setting could be for.
    #[error("annotation {}: the VM has no interface {} that uses a network binding plugin: correct the annotation or its interface in the VM", Quoted(.annotation), Quoted(.interface))]
    NoSuchInterface {
        /// The annotation's key.
        annotation: String,
        /// The interface it names.
        interface: String,
    },
}

fn known_names() -> String {
    KNOWN.map(|(name, _)| name).join(", ")
}

/// All annotations under our prefix, checked, even those for NICs of another sidecar of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotations(Vec<(Option<String>, NicSettings)>);

impl Annotations {
    /// Reads and checks the VMI's annotations. `max_queue_pairs` is the most that `queue-pairs` may ask for.
    pub fn read(vmi: &Vmi, max_queue_pairs: QueuePairs) -> Result<Self, AnnotationError> {
        let mut list = Vec::new();
        for (annotation, value) in &vmi.annotations {
            let Some(rest) = annotation.strip_prefix(PREFIX) else {
                continue;
            };
            let (setting, interface) = match rest.split_once('.') {
                Some((setting, interface)) => (setting, Some(interface)),
                None => (rest, None),
            };
            let settings = parse(annotation, setting, value, max_queue_pairs)?;
            if let Some(interface) = interface {
                check_interface(vmi, annotation, interface)?;
            }
            list.push((interface.map(str::to_owned), settings));
        }
        Ok(Self(list))
    }

    /// The settings of one NIC: its own first, then those for all.
    pub fn of(&self, interface: &str) -> NicSettings {
        let own = self.0.iter().filter(|(name, _)| name.as_deref() == Some(interface));
        let all = self.0.iter().filter(|(name, _)| name.is_none());
        own.chain(all).fold(NicSettings::default(), |first, (_, next)| first.or(*next))
    }
}

impl NicSettings {
    fn or(self, other: Self) -> Self {
        Self {
            queue_pairs: self.queue_pairs.or(other.queue_pairs),
            rx_queue_size: self.rx_queue_size.or(other.rx_queue_size),
            tx_queue_size: self.tx_queue_size.or(other.tx_queue_size),
            mtu: self.mtu.or(other.mtu),
            reconnect_timeout: self.reconnect_timeout.or(other.reconnect_timeout),
            target_dev: self.target_dev.or(other.target_dev),
        }
    }
}

fn parse(
    annotation: &str,
    setting: &str,
    value: &str,
    max: QueuePairs,
) -> Result<NicSettings, AnnotationError> {
    let Some((_, takes)) = KNOWN.iter().find(|(name, _)| *name == setting) else {
        return Err(AnnotationError::Unknown { annotation: annotation.to_owned() });
    };
    parse_value(setting, value, max).ok_or_else(|| AnnotationError::BadValue {
        annotation: annotation.to_owned(),
        value: value.to_owned(),
        takes,
    })
}

fn parse_value(setting: &str, value: &str, max: QueuePairs) -> Option<NicSettings> {
    let none = NicSettings::default();
    Some(match setting {
        "queue-pairs" => {
            let pairs = QueuePairs::new(whole(value)?).filter(|pairs| *pairs <= max)?;
            NicSettings { queue_pairs: Some(pairs), ..none }
        }
        "rx-queue-size" => NicSettings { rx_queue_size: Some(ring(value)?), ..none },
        "tx-queue-size" => NicSettings { tx_queue_size: Some(ring(value)?), ..none },
        "mtu" => {
            let mtu = i64::try_from(whole(value)?).ok()?;
            NicSettings { mtu: Some(Mtu::try_from(mtu).ok()?), ..none }
        }
        "reconnect-timeout" => NicSettings { reconnect_timeout: Some(reconnect_timeout(value)?), ..none },
        "target-dev" => NicSettings { target_dev: Some(value.parse().ok()?), ..none },
        _ => return None,
    })
}

/// Digits only: no sign, no space, no unit.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

pub(crate) fn ring(text: &str) -> Option<RingSize> {
    RingSize::try_from(whole(text)?).ok()
}

pub(crate) fn reconnect_timeout(text: &str) -> Option<NonZeroU32> {
    let seconds = u32::try_from(whole(text)?).ok().filter(|seconds| *seconds <= RECONNECT_TIMEOUT_MAX)?;
    NonZeroU32::new(seconds)
}

fn check_interface(vmi: &Vmi, annotation: &str, interface: &str) -> Result<(), AnnotationError> {
    let mut ours = vmi.interfaces.iter().filter(|found| found.binding.is_some());
    match ours.any(|found| found.name == interface) {
        true => Ok(()),
        false => Err(AnnotationError::NoSuchInterface {
            annotation: annotation.to_owned(),
            interface: interface.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &str) -> Result<Annotations, String> {
        let vmi = format!(
            r#"{{"metadata":{{"annotations":{{"unrelated":"x",{annotations}}}}},"spec":{{"domain":{{"devices":{{
            "interfaces":[{{"name":"pod"}},{{"name":"net1","binding":{{"name":"vhostuser"}}}}]}}}}}}}}"#
        );
        let vmi = Vmi::parse(vmi.as_bytes()).unwrap();
        Annotations::read(&vmi, QueuePairs::new(8).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_nics_own_setting_wins() {
        let annotations = read(
            r#""vhostuser.network/mtu":"9000","vhostuser.network/mtu.net1":"2000",
            "vhostuser.network/queue-pairs":"8","vhostuser.network/rx-queue-size.net1":"256",
            "vhostuser.network/tx-queue-size":"512","vhostuser.network/target-dev":"true",
            "vhostuser.network/reconnect-timeout":"3600""#,
        )
        .unwrap();
        let expected = NicSettings {
            queue_pairs: QueuePairs::new(8),
            rx_queue_size: RingSize::try_from(256).ok(),
            tx_queue_size: RingSize::try_from(512).ok(),
            mtu: Mtu::try_from(2000).ok(),
            reconnect_timeout: NonZeroU32::new(3600),
            target_dev: Some(true),
        };
        assert_eq!(annotations.of("net1"), expected);
        let other = NicSettings { rx_queue_size: None, mtu: Mtu::try_from(9000).ok(), ..expected };
        assert_eq!(annotations.of("net2"), other);
    }

    #[test]
    fn unknown_settings_are_refused_with_the_known_ones() {
        assert_eq!(
            read(r#""vhostuser.network/queues":"2""#).unwrap_err(),
            "annotation 'vhostuser.network/queues': there is no such setting; known are queue-pairs, rx-queue-size, \
             tx-queue-size, mtu, reconnect-timeout, target-dev, for one NIC with '.<interface>' behind"
        );
    }

    #[test]
    fn bad_values_are_refused_with_what_is_taken() {
        for (setting, value, takes) in [
            ("queue-pairs", "0", KNOWN[0].1),
            ("queue-pairs", "9", KNOWN[0].1),
            ("rx-queue-size", "300", KNOWN[1].1),
            ("tx-queue-size.net1", "+256", KNOWN[2].1),
            ("mtu", "67", KNOWN[3].1),
            ("mtu", "65536", KNOWN[3].1),
            ("mtu", "99999999999999999999", KNOWN[3].1),
            ("reconnect-timeout", "1.5", KNOWN[4].1),
            ("reconnect-timeout", "0", KNOWN[4].1),
            ("reconnect-timeout", "3601", KNOWN[4].1),
            ("target-dev", "yes", KNOWN[5].1),
            ("target-dev", "", KNOWN[5].1),
        ] {
            assert_eq!(
                read(&format!(r#""vhostuser.network/{setting}":"{value}""#)).unwrap_err(),
                format!(
                    "annotation 'vhostuser.network/{setting}': the value '{value}' cannot be used, it takes {takes}"
                )
            );
        }
    }

    #[test]
    fn a_setting_must_be_for_an_interface_it_can_reach() {
        for interface in ["pod", "net2", ""] {
            assert_eq!(
                read(&format!(r#""vhostuser.network/mtu.{interface}":"9000""#)).unwrap_err(),
                format!(
                    "annotation 'vhostuser.network/mtu.{interface}': the VM has no interface '{interface}' that uses a \
                     network binding plugin: correct the annotation or its interface in the VM"
                )
            );
        }
    }
}
