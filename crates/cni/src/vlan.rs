//! Which VLANs a port carries.

use std::{collections::BTreeSet, fmt};

use serde_json::Value;

use node::fields::Fields;
use ovs::{
    rows::Port,
    value::{Datum, Row},
};
use vocabulary::Quoted;

/// The highest VLAN id that a frame can have; 4095 is reserved.
const VLAN_MAX: u16 = 4094;

/// The VLANs of a port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Vlan {
    /// All, as they come: what OVS does where nothing is said.
    #[default]
    All,
    /// The guest's frames have no tag and belong to this VLAN.
    Access(u16),
    /// The guest's frames have a tag of one of these.
    Trunk {
        /// The VLANs.
        vlans: BTreeSet<u16>,
        /// The VLAN of frames without a tag.
        native: Option<u16>,
    },
}

impl Vlan {
    /// Reads the fields `vlan`, `trunk` and `nativeVlan`.
    pub fn read(fields: &Fields<'_>) -> Option<Self> {
        let number = |key| fields.number(key, 0..=u64::from(VLAN_MAX)).and_then(|id| u16::try_from(id).ok());
        let (access, native) = (number("vlan"), number("nativeVlan"));
        let trunk = fields.value("trunk").map(|_| trunk(fields));
        match (access, trunk, native) {
            (Some(_), Some(_), _) => {
                mistake(fields, "vlan", "excludes trunk; use nativeVlan for frames without a tag")
            }
            (_, None, Some(_)) => mistake(fields, "nativeVlan", "needs trunk; use vlan for an access port"),
            (Some(id), None, None) => Some(Self::Access(id)),
            (None, Some(vlans), native) => vlans.map(|vlans| Self::Trunk { vlans, native }),
            (None, None, None) => Some(Self::All),
        }
    }

    /// OVS's words for it.
    fn mode(&self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Access(_) => Some("access"),
            Self::Trunk { native: None, .. } => Some("trunk"),
            Self::Trunk { native: Some(_), .. } => Some("native-untagged"),
        }
    }

    fn tag(&self) -> Option<u16> {
        match self {
            Self::All => None,
            Self::Access(id) => Some(*id),
            Self::Trunk { native, .. } => *native,
        }
    }

    fn trunks(&self) -> Vec<i64> {
        match self {
            Self::All | Self::Access(_) => Vec::new(),
            Self::Trunk { vlans, .. } => vlans.iter().copied().map(i64::from).collect(),
        }
    }

    /// The port's row with the columns that say so.
    pub fn write(&self, row: Row) -> Row {
        let Some(mode) = self.mode() else { return row };
        row.with("vlan_mode", mode)
            .with("tag", Datum::set(self.tag().map(i64::from)))
            .with("trunks", Datum::set(self.trunks()))
    }

    /// What the port has instead, if that is not this.
    pub fn deviation(&self, port: &Port) -> Option<String> {
        let mut trunks = port.trunks.clone();
        trunks.sort_unstable();
        let is = (port.vlan_mode.as_deref(), port.tag, trunks);
        let should = (self.mode(), self.tag().map(i64::from), self.trunks());
        (is != should).then(|| format!("VLANs are {}, should be {}", shown(&is), shown(&should)))
    }
}

fn shown((mode, tag, trunks): &(Option<&str>, Option<i64>, Vec<i64>)) -> String {
    let tag = tag.map_or("none".to_owned(), |tag| tag.to_string());
    let mode = mode.unwrap_or("all");
    format!("{mode} (tag {tag}, trunks {trunks:?})")
}

fn mistake<T>(fields: &Fields<'_>, key: &str, problem: impl fmt::Display) -> Option<T> {
    fields.mistake(key, problem);
    None
}

/// An empty trunk would carry everything in OVS, the opposite of what it says.
fn trunk(fields: &Fields<'_>) -> Option<BTreeSet<u16>> {
    let mut vlans = BTreeSet::new();
    let items = match fields.value("trunk") {
        Some(Value::Array(items)) if items.len() > usize::from(VLAN_MAX) + 1 => {
            return mistake(
                fields,
                "trunk",
                format_args!("has {} items, more than there are VLANs", items.len()),
            );
        }
        Some(Value::Array(items)) if !items.is_empty() => items,
        Some(Value::Array(_)) => return mistake(fields, "trunk", "names no VLAN; leave it out to carry all"),
        _ => return mistake(fields, "trunk", "must be a list"),
    };
    let mut all_are = true;
    for item in items {
        match range(item) {
            Some((first, last)) => vlans.extend(first..=last),
            None => {
                let item = item.to_string();
                let form = format!("a VLAN id from 0 to {VLAN_MAX}, or a range such as \"200-210\"");
                fields.mistake("trunk", format_args!("{} is not {form}", Quoted(&item)));
                all_are = false;
            }
        }
    }
    all_are.then_some(vlans)
}

fn range(item: &Value) -> Option<(u16, u16)> {
    let (first, last) = match item {
        Value::Number(number) => {
            let id = u16::try_from(number.as_u64()?).ok()?;
            (id, id)
        }
        Value::String(text) => {
            let (first, last) = text.split_once('-')?;
            (id(first)?, id(last)?)
        }
        _ => return None,
    };
    (first <= last && last <= VLAN_MAX).then_some((first, last))
}

/// Not `u16::from_str` alone: it takes "+5".
fn id(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use node::fields::Mistakes;

    fn read(value: &Value) -> Result<Vlan, String> {
        let mistakes = Mistakes::default();
        let fields = Fields::of(value, "", &["vlan", "trunk", "nativeVlan"], &mistakes).unwrap();
        let vlan = Vlan::read(&fields);
        mistakes.or(vlan).map_err(|mistakes| mistakes.to_string())
    }

    fn written(value: &Value) -> Value {
        read(value).unwrap().write(Row::default()).json()
    }

    #[test]
    fn writes_what_ovs_understands() {
        assert_eq!(written(&json!({})), json!({}));
        assert_eq!(
            written(&json!({"vlan": 100})),
            json!({"vlan_mode": "access", "tag": 100, "trunks": ["set", []]})
        );
        assert_eq!(
            written(&json!({"trunk": [100, "200-202", 201]})),
            json!({"vlan_mode": "trunk", "tag": ["set", []], "trunks": ["set", [100, 200, 201, 202]]})
        );
        assert_eq!(
            written(&json!({"trunk": [7], "nativeVlan": 0})),
            json!({"vlan_mode": "native-untagged", "tag": 0, "trunks": 7})
        );
    }

    #[test]
    fn refuses_what_is_ambiguous_or_out_of_range() {
        let refusal = |value: Value| read(&value).unwrap_err();
        assert_eq!(
            refusal(json!({"vlan": 1, "trunk": [2]})),
            "vlan: excludes trunk; use nativeVlan for frames without a tag"
        );
        assert_eq!(refusal(json!({"nativeVlan": 1})), "nativeVlan: needs trunk; use vlan for an access port");
        assert_eq!(refusal(json!({"vlan": 4095})), "vlan: '4095' must be a whole number from 0 to 4094");
        assert_eq!(refusal(json!({"trunk": 5})), "trunk: must be a list");
        assert_eq!(refusal(json!({"trunk": []})), "trunk: names no VLAN; leave it out to carry all");
        for bad in [
            json!(4095),
            json!(-1),
            json!(1.5),
            json!(true),
            json!("5"),
            json!("9-5"),
            json!("1-4095"),
            json!("+1-2"),
            json!("1-2-3"),
            json!("-"),
        ] {
            let text = refusal(json!({"trunk": [1, bad]}));
            assert!(text.contains("is not a VLAN id from 0 to 4094, or a range"), "{text}");
        }
    }

    #[test]
    fn tells_another_setting() {
        let uuid = || ovs::value::Uuid::parse("36bef046-7da7-43a5-905a-c17899216fcb").unwrap();
        let port = Port {
            uuid: uuid(),
            name: "p".to_owned(),
            interfaces: vec![],
            tag: Some(5),
            trunks: vec![9, 8],
            vlan_mode: Some("native-untagged".to_owned()),
            qos: None,
            external_ids: std::collections::BTreeMap::new(),
        };
        let trunk = read(&json!({"trunk": ["8-9"], "nativeVlan": 5})).unwrap();
        assert_eq!(trunk.deviation(&port), None);
        assert_eq!(
            Vlan::Access(5).deviation(&port).unwrap(),
            "VLANs are native-untagged (tag 5, trunks [8, 9]), should be access (tag 5, trunks [])"
        );
        assert_eq!(
            Vlan::All.deviation(&port).unwrap(),
            "VLANs are native-untagged (tag 5, trunks [8, 9]), should be all (tag none, trunks [])"
        );
    }
}
