use serde::Serialize;
use serde_json::{Value, json};

/// A column's value, to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum(Value);

impl Datum {
    /// A set; of one value, the value.
    pub fn set<T: Serialize>(values: impl IntoIterator<Item = T>) -> Self {
        let mut values: Vec<_> = values.into_iter().map(|value| json!(value)).collect();
        match values.pop() {
            Some(one) if values.is_empty() => Self(one),
            last => {
                values.extend(last);
                Self(json!(["set", values]))
            }
        }
    }

    /// A map.
    pub fn map<K: Serialize, V: Serialize>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(json!(["map", pairs.into_iter().map(|pair| json!(pair)).collect::<Vec<_>>()]))
    }

    /// The value as JSON.
    pub fn json(self) -> Value {
        self.0
    }
}

impl<T: Serialize> From<T> for Datum {
    fn from(one: T) -> Self {
        Self(json!(one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Named, Uuid};

    #[test]
    fn writes_the_forms_of_the_protocol() {
        let uuid = Uuid::parse("36bef046-7da7-43a5-905a-c17899216fcb").unwrap();
        for (datum, json) in [
            (Datum::set::<i64>([]), json!(["set", []])),
            (Datum::set(["x"]), json!("x")),
            (Datum::from("x"), json!("x")),
            (Datum::set([5_i64, 6]), json!(["set", [5, 6]])),
            (Datum::map([("k", "v")]), json!(["map", [["k", "v"]]])),
            (Datum::from(&uuid), json!(["uuid", "36bef046-7da7-43a5-905a-c17899216fcb"])),
            (Datum::from(Named::row("port")), json!(["named-uuid", "port"])),
        ] {
            assert_eq!(datum.json(), json);
        }
    }
}
