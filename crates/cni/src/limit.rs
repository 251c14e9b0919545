//! How much a port carries, seen from the guest.
//!
//! OVS counts from the switch: what the guest sends is OVS's *ingress* (policing on the Interface), what it receives is
//! OVS's *egress* (QoS on the Port). The words are therefore `fromGuest` and `toGuest`, and the unit is in the name,
//! because other plugins count bits where OVS counts kilobits.

use std::collections::BTreeMap;

use node::fields::Fields;
use ovs::{
    rows::{Interface, Qos},
    value::{Datum, Row},
};
use vocabulary::Mtu;

/// What OVS takes where nothing is said, in kbit.
const DEFAULT_BURST: u32 = 8000;

/// The QoS of the userspace datapath that drops what is too much.
const POLICER: &str = "egress-policer";

/// Bytes of one kilobit.
const BYTES_PER_KBIT: u64 = 125;

/// A limit in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// kbit/s.
    kbit: u32,
    /// How much more for a moment, in kbit.
    burst: u32,
}

/// The fields of one direction.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    rate: &'static str,
    burst: &'static str,
}

/// What the guest receives.
pub const TO_GUEST: Keys = Keys { rate: "toGuestKbit", burst: "toGuestBurstKbit" };

/// What the guest sends.
pub const FROM_GUEST: Keys = Keys { rate: "fromGuestKbit", burst: "fromGuestBurstKbit" };

impl Limit {
    /// Reads the fields of one direction.
    pub fn read(fields: &Fields<'_>, keys: Keys, mtu: Option<Mtu>) -> Option<Self> {
        let number = |key| {
            let number = fields.number(key, 1..=u64::from(u32::MAX));
            number.and_then(|number| u32::try_from(number).ok())
        };
        let (kbit, burst) = (number(keys.rate), number(keys.burst));
        let frame = least_burst(mtu.unwrap_or(Mtu::ETHERNET));
        match (kbit, burst) {
            (None, Some(_)) if fields.value(keys.rate).is_none() => {
                fields.mistake(keys.burst, format_args!("needs {}", keys.rate));
                None
            }
            (_, Some(burst)) if u64::from(burst) < frame => {
                let problem =
                    format_args!("{burst} kbit is less than one frame ({frame} kbit): nothing would pass");
                fields.mistake(keys.burst, problem);
                None
            }
            (kbit, burst) => Some(Self { kbit: kbit?, burst: burst.unwrap_or(DEFAULT_BURST) }),
        }
    }

    /// The QoS row that limits what the guest receives; in bytes, without the frame's checksum.
    pub fn qos(self) -> Row {
        let config: Vec<_> = self.config().into_iter().collect();
        let pairs = config.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Row::default().with("type", POLICER).with("other_config", Datum::map(pairs))
    }

    fn config(self) -> BTreeMap<String, String> {
        let bytes = |kbit: u32| (u64::from(kbit) * BYTES_PER_KBIT).to_string();
        BTreeMap::from([("cir".to_owned(), bytes(self.kbit)), ("cbs".to_owned(), bytes(self.burst))])
    }
}

/// The largest frame, with its header and a VLAN tag, in kbit.
fn least_burst(mtu: Mtu) -> u64 {
    (u64::from(mtu.bytes()) + 18).div_ceil(BYTES_PER_KBIT)
}

/// The interface's row with the columns that limit what the guest sends.
pub fn write_policing(limit: Option<Limit>, row: Row) -> Row {
    let Some(Limit { kbit, burst }) = limit else { return row };
    row.with("ingress_policing_rate", i64::from(kbit)).with("ingress_policing_burst", i64::from(burst))
}

/// What limits the guest's sending instead, if that is not this.
pub fn policing_deviation(limit: Option<Limit>, interface: &Interface) -> Option<String> {
    let (kbit, burst) = limit.map_or((0, 0), |limit| (i64::from(limit.kbit), i64::from(limit.burst)));
    let (is, is_burst) = (interface.ingress_policing_rate, interface.ingress_policing_burst);
    let same = is == kbit && (is_burst == burst || kbit == 0);
    let (packets, packets_burst) = interface.ingress_policing_kpkts;
    if same && packets == 0 {
        return None;
    }
    let by_packets = match packets {
        0 => String::new(),
        _ => format!(" and {packets} kpackets/s (burst {packets_burst} kpackets)"),
    };
    Some(format!(
        "ingress policing is {is} kbit/s (burst {is_burst} kbit){by_packets}, should be {kbit} (burst {burst})"
    ))
}

/// What limits the guest's receiving instead, if that is not this.
pub fn qos_deviation(limit: Option<Limit>, qos: Option<&Qos>) -> Option<String> {
    let is = qos.map(|qos| (qos.kind.as_str(), &qos.other_config));
    let config = limit.map(Limit::config);
    let should = config.as_ref().map(|config| (POLICER, config));
    (is != should).then(|| format!("QoS is {}, should be {}", shown(is), shown(should)))
}

fn shown(qos: Option<(&str, &BTreeMap<String, String>)>) -> String {
    match qos {
        None => "none".to_owned(),
        Some((kind, config)) => {
            let config: Vec<_> = config.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{kind} ({})", config.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use node::fields::Mistakes;

    fn read(value: &Value) -> Result<Option<Limit>, String> {
        let mistakes = Mistakes::default();
        let known = [TO_GUEST.rate, TO_GUEST.burst];
        let fields = Fields::of(value, "", &known, &mistakes).unwrap();
        let limit = Limit::read(&fields, TO_GUEST, None);
        mistakes.or(Some(limit)).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn writes_kilobits_for_what_comes_and_bytes_for_what_goes() {
        let limit = read(&json!({"toGuestKbit": 10000, "toGuestBurstKbit": 80})).unwrap();
        assert_eq!(
            limit.unwrap().qos().json(),
            json!({"type": "egress-policer", "other_config": ["map", [["cbs", "10000"], ["cir", "1250000"]]]})
        );
        assert_eq!(
            write_policing(limit, Row::default()).json(),
            json!({"ingress_policing_rate": 10000, "ingress_policing_burst": 80})
        );
        let plain = read(&json!({"toGuestKbit": u32::MAX})).unwrap().unwrap();
        assert_eq!(plain.config()["cir"], "536870911875");
        assert_eq!(plain.config()["cbs"], "1000000");
        assert_eq!(read(&json!({})).unwrap(), None);
        assert_eq!(write_policing(None, Row::default()), Row::default());
    }

    #[test]
    fn refuses_what_would_stop_all() {
        let refusal = |value: Value| read(&value).unwrap_err();
        assert_eq!(refusal(json!({"toGuestBurstKbit": 80})), "toGuestBurstKbit: needs toGuestKbit");
        assert_eq!(
            refusal(json!({"toGuestKbit": 0})),
            "toGuestKbit: '0' must be a whole number from 1 to 4294967295"
        );
        assert_eq!(
            refusal(json!({"toGuestKbit": 9, "toGuestBurstKbit": 12})),
            "toGuestBurstKbit: 12 kbit is less than one frame (13 kbit): nothing would pass"
        );
    }
}
