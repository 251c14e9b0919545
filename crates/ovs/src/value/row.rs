use std::collections::BTreeMap;

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::{Map, Value};

use super::Datum;

/// Columns by name: what a `select` found, or what is to be written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(Map<String, Value>);

/// A column that is not what the schema says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct ValueError {
    /// The column.
    pub column: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Row {
    /// The same with one more column.
    pub fn with(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.0.insert(column.to_owned(), value.into().json());
        self
    }

    /// The row in a JSON object.
    pub fn parse(value: Value) -> Option<Self> {
        if let Value::Object(columns) = value { Some(Self(columns)) } else { None }
    }

    /// The row as JSON.
    pub fn json(self) -> Value {
        Value::Object(self.0)
    }

    /// Reads a column that holds a set.
    ///
    /// # Errors
    /// The column is missing, or has values of another type.
    pub fn all<T: DeserializeOwned>(&self, column: &str) -> Result<Vec<T>, ValueError> {
        self.read(column, |value| match tagged(&value, "set") {
            true => serde_json::from_value::<(String, Vec<T>)>(value).map(|(_, values)| values),
            false => serde_json::from_value(value).map(|one| vec![one]),
        })
    }

    /// Reads a column that holds at most one value.
    ///
    /// # Errors
    /// The column is missing, has several values, or one of another type.
    pub fn optional<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, ValueError> {
        let mut values = self.all(column)?.into_iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(error(column, "more than one value")),
        }
    }

    /// Reads a column that always holds one value.
    ///
    /// # Errors
    /// The column is missing, has not one value, or one of another type.
    pub fn one<T: DeserializeOwned>(&self, column: &str) -> Result<T, ValueError> {
        self.optional(column)?.ok_or_else(|| error(column, "no value"))
    }

    /// Reads a column that older schemas do not have.
    ///
    /// # Errors
    /// The column is there and has not one value, or one of another type.
    pub fn if_there<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, ValueError> {
        self.0.contains_key(column).then(|| self.one(column)).transpose()
    }

    /// Reads a map of strings, such as `external_ids`.
    ///
    /// # Errors
    /// The column is missing or of another type.
    pub fn texts(&self, column: &str) -> Result<BTreeMap<String, String>, ValueError> {
        self.map(column)
    }

    /// Reads a map of numbers, such as `statistics`.
    ///
    /// # Errors
    /// The column is missing or of another type.
    pub fn numbers(&self, column: &str) -> Result<BTreeMap<String, i64>, ValueError> {
        self.map(column)
    }

    fn map<T: DeserializeOwned>(&self, column: &str) -> Result<BTreeMap<String, T>, ValueError> {
        self.read(column, |value| match tagged(&value, "map") {
            true => serde_json::from_value::<(String, Vec<(String, T)>)>(value)
                .map(|(_, pairs)| pairs.into_iter().collect()),
            false => Err(serde_json::Error::custom("expected a map")),
        })
    }

    fn read<T>(
        &self,
        column: &str,
        parse: impl FnOnce(Value) -> serde_json::Result<T>,
    ) -> Result<T, ValueError> {
        let value = self.0.get(column).cloned().ok_or_else(|| error(column, "is missing"))?;
        parse(value).map_err(|problem| error(column, &problem.to_string()))
    }
}

/// A string may be `set` too, but only an array has a tag.
fn tagged(value: &Value, tag: &str) -> bool {
    value.get(0).and_then(Value::as_str) == Some(tag)
}

fn error(column: &str, problem: &str) -> ValueError {
    ValueError { column: column.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
    };
    use serde_json::json;

    use super::*;
    use crate::value::Uuid;

    #[test]
    fn reads_columns_as_what_they_are() {
        let row = Row::parse(json!({
            "name": "br1", "tag": ["set", []], "trunks": ["set", [1, 2]], "ofport": 7,
            "ids": ["map", [["a", "b"]]], "statistics": ["map", [["rx", 1]]],
        }))
        .unwrap();
        assert_eq!(row.one("name"), Ok("br1".to_owned()));
        assert_eq!(row.optional::<i64>("tag"), Ok(None));
        assert_eq!(row.optional("ofport"), Ok(Some(7_i64)));
        assert_eq!(row.all("trunks"), Ok(vec![1_i64, 2]));
        assert_eq!(row.texts("ids").unwrap()["a"], "b");
        assert_eq!(row.numbers("statistics").unwrap()["rx"], 1);
        assert_eq!(row.if_there("ofport"), Ok(Some(7_i64)));
        assert_eq!(row.if_there::<i64>("newer"), Ok(None));
        assert!(row.if_there::<i64>("name").is_err());
    }

    #[test]
    fn reports_the_column_that_is_wrong() {
        let row = Row::default()
            .with("name", 5)
            .with("two", Datum::set(["a", "b"]))
            .with("none", Datum::set::<i64>([]));
        let error = |result: Result<String, ValueError>| result.unwrap_err().to_string();
        assert_eq!(error(row.one("name")), "column name: invalid type: integer `5`, expected a string");
        assert_eq!(error(row.one("two")), "column two: more than one value");
        assert_eq!(error(row.one("none")), "column none: no value");
        assert_eq!(error(row.one("gone")), "column gone: is missing");
        assert_eq!(row.texts("name").unwrap_err().to_string(), "column name: expected a map");
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
            json!(["named-uuid", "36bef046-7da7-43a5-905a-c17899216fcb"]),
        ] {
            let row = Row::parse(json!({ "x": json })).unwrap();
            assert!(row.all::<String>("x").is_err() && row.all::<Uuid>("x").is_err(), "{json}");
            assert!(row.texts("x").is_err(), "{json}");
        }
    }

    proptest! {
        // Among them the words that the codec gives a meaning to.
        #[test]
        fn what_is_written_is_what_is_read(
            texts in vec(prop_oneof![".*", "set|map|uuid|named-uuid"], 0..5),
            numbers in btree_map(".*", any::<i64>(), 0..5),
            uuid in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        ) {
            let uuid = Uuid::parse(&uuid).unwrap();
            let row = Row::default().with("texts", Datum::set(&texts)).with("uuid", &uuid);
            let row = row.with("numbers", Datum::map(&numbers));
            let row = Row::parse(serde_json::from_str(&row.json().to_string()).unwrap()).unwrap();
            prop_assert_eq!(row.all::<String>("texts"), Ok(texts));
            prop_assert_eq!(row.numbers("numbers"), Ok(numbers));
            prop_assert_eq!(row.one("uuid"), Ok(uuid));
        }

        #[test]
        fn nothing_makes_reading_panic(text in r#"[\[\]{}",a-z0-9:]{0,40}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let row = Row::parse(json!({ "x": value })).unwrap();
                let _ = (row.all::<String>("x"), row.all::<Uuid>("x"), row.numbers("x"));
            }
        }
    }
}
