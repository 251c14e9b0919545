use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Atom, Datum, FromAtom};

/// Columns by name: what a `select` found, or what is to be written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row(Map<String, Value>);

/// A column that is not what the schema says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column} has no {expected}")]
pub struct ValueError {
    /// The column.
    pub column: String,
    /// What it should have.
    pub expected: &'static str,
}

impl Row {
    /// The same with one more column.
    pub fn with(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.0.insert(column.to_owned(), value.into().json());
        self
    }

    /// The row that a JSON object is.
    pub fn parse(value: Value) -> Option<Self> {
        if let Value::Object(columns) = value { Some(Self(columns)) } else { None }
    }

    /// The row as JSON.
    pub fn json(self) -> Value {
        Value::Object(self.0)
    }

    /// All values of a column.
    ///
    /// # Errors
    /// The column is missing, or has values of another kind.
    pub fn all<T: FromAtom>(&self, column: &str) -> Result<Vec<T>, ValueError> {
        let error = || ValueError { column: column.to_owned(), expected: T::KIND };
        match self.0.get(column).and_then(Datum::parse) {
            Some(Datum::Set(values)) => {
                values.into_iter().map(T::of).collect::<Option<_>>().ok_or_else(error)
            }
            _ => Err(error()),
        }
    }

    /// The value of a column that has one or none.
    ///
    /// # Errors
    /// The column is missing, has several values, or one of another kind.
    pub fn optional<T: FromAtom>(&self, column: &str) -> Result<Option<T>, ValueError> {
        let mut values = self.all(column)?.into_iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(ValueError { column: column.to_owned(), expected: T::KIND }),
        }
    }

    /// The value of a column that always has one.
    ///
    /// # Errors
    /// The column is missing, has not one value, or one of another kind.
    pub fn one<T: FromAtom>(&self, column: &str) -> Result<T, ValueError> {
        let error = || ValueError { column: column.to_owned(), expected: T::KIND };
        self.optional(column)?.ok_or_else(error)
    }

    /// The value of a column that older schemas do not have.
    ///
    /// # Errors
    /// The column is there and has not one value, or one of another kind.
    pub fn if_there<T: FromAtom>(&self, column: &str) -> Result<Option<T>, ValueError> {
        self.0.contains_key(column).then(|| self.one(column)).transpose()
    }

    /// The texts by texts that a column such as `external_ids` has.
    ///
    /// # Errors
    /// The column is missing or of another kind.
    pub fn texts(&self, column: &str) -> Result<BTreeMap<String, String>, ValueError> {
        self.map(column)
    }

    /// The numbers by texts that a column such as `statistics` has.
    ///
    /// # Errors
    /// The column is missing or of another kind.
    pub fn numbers(&self, column: &str) -> Result<BTreeMap<String, i64>, ValueError> {
        self.map(column)
    }

    fn map<T: FromAtom>(&self, column: &str) -> Result<BTreeMap<String, T>, ValueError> {
        let error = || ValueError { column: column.to_owned(), expected: "map" };
        let pair = |(key, value): (Atom, Atom)| Some((String::of(key)?, T::of(value)?));
        match self.0.get(column).and_then(Datum::parse) {
            Some(Datum::Map(pairs)) => pairs.into_iter().map(pair).collect::<Option<_>>().ok_or_else(error),
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn tells_the_column_that_is_not() {
        let row =
            Row::default().with("name", 5).with("two", Datum::set(["a", "b"])).with("none", Datum::EMPTY);
        let error = |result: Result<String, ValueError>| result.unwrap_err().to_string();
        assert_eq!(error(row.one("name")), "column name has no text");
        assert_eq!(error(row.one("two")), "column two has no text");
        assert_eq!(error(row.one("none")), "column none has no text");
        assert_eq!(error(row.one("gone")), "column gone has no text");
        assert_eq!(row.texts("name").unwrap_err().to_string(), "column name has no map");
    }
}
