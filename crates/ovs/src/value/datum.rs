use serde_json::{Value, json};

use super::Atom;

/// What a column holds: a set, of which one value is the commonest case, or a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// Any number of values.
    Set(Vec<Atom>),
    /// Values by keys.
    Map(Vec<(Atom, Atom)>),
}

impl Datum {
    /// The set without a value.
    pub const EMPTY: Self = Self::Set(Vec::new());

    /// A set.
    pub fn set<T: Into<Atom>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::Set(values.into_iter().map(Into::into).collect())
    }

    /// A map.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The value as JSON: a set of one is written as the one.
    pub fn json(&self) -> Value {
        match self {
            Self::Set(values) => match values.as_slice() {
                [one] => one.json(),
                values => json!(["set", values.iter().map(Atom::json).collect::<Vec<_>>()]),
            },
            Self::Map(pairs) => {
                json!([
                    "map",
                    pairs.iter().map(|(key, value)| json!([key.json(), value.json()])).collect::<Vec<_>>()
                ])
            }
        }
    }

    /// The value that JSON stands for.
    pub fn parse(value: &Value) -> Option<Self> {
        if let Value::Array(tagged) = value {
            match tagged.as_slice() {
                [Value::String(tag), Value::Array(values)] if tag == "set" => {
                    return values.iter().map(Atom::parse).collect::<Option<_>>().map(Self::Set);
                }
                [Value::String(tag), Value::Array(pairs)] if tag == "map" => {
                    return pairs.iter().map(pair).collect::<Option<_>>().map(Self::Map);
                }
                _ => {}
            }
        }
        Atom::parse(value).map(|one| Self::Set(vec![one]))
    }
}

fn pair(value: &Value) -> Option<(Atom, Atom)> {
    match value.as_array()?.as_slice() {
        [key, value] => Some((Atom::parse(key)?, Atom::parse(value)?)),
        _ => None,
    }
}

impl<T: Into<Atom>> From<T> for Datum {
    fn from(one: T) -> Self {
        Self::Set(vec![one.into()])
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::value::Uuid;

    fn atom() -> impl Strategy<Value = Atom> {
        prop_oneof![
            any::<i64>().prop_map(Atom::Integer),
            // Reading back every bit of others is a feature of serde_json that nothing here needs.
            any::<i32>().prop_map(|number| Atom::Real(f64::from(number) / 4.0)),
            any::<bool>().prop_map(Atom::Boolean),
            // Among them the words that the codec gives a meaning to.
            prop_oneof![".*", "set|map|uuid|named-uuid"].prop_map(Atom::Text),
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
                .prop_map(|text| Atom::Uuid(Uuid::parse(&text).unwrap())),
            "[a-z_]{1,9}".prop_map(Atom::Named),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            values in vec(atom(), 0..5),
            pairs in vec((atom(), atom()), 0..5),
        ) {
            for datum in [Datum::Set(values), Datum::Map(pairs)] {
                let text = datum.json().to_string();
                let read: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(Datum::parse(&read), Some(datum));
            }
        }

        #[test]
        fn nothing_makes_reading_panic(text in r#"[\[\]{}",a-z0-9:]{0,40}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = Datum::parse(&value);
            }
        }
    }

    #[test]
    fn writes_the_forms_of_the_protocol() {
        let uuid = Uuid::parse("36bef046-7da7-43a5-905a-c17899216fcb").unwrap();
        for (datum, json) in [
            (Datum::EMPTY, json!(["set", []])),
            (Datum::from("x"), json!("x")),
            (Datum::set([5_i64, 6]), json!(["set", [5, 6]])),
            (Datum::map([("k", "v")]), json!(["map", [["k", "v"]]])),
            (Datum::from(&uuid), json!(["uuid", "36bef046-7da7-43a5-905a-c17899216fcb"])),
            (Datum::from(Atom::Named("port".to_owned())), json!(["named-uuid", "port"])),
        ] {
            assert_eq!(datum.json(), json);
        }
    }

    #[test]
    fn refuses_other_forms() {
        for json in [
            json!(null),
            json!({}),
            json!([]),
            json!(["set"]),
            json!(["set", {}]),
            json!(["set", [null]]),
            json!(["map", [["k"]]]),
            json!(["uuid", "36bef046"]),
            json!(["uuid", "36bef046-7da7-43a5-905a-c17899216fcg"]),
        ] {
            assert_eq!(Datum::parse(&json), None, "{json}");
        }
    }
}
