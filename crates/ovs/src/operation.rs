//! The operations of a transaction (RFC 7047, section 5.2) and their results.

use std::time::Duration;

use serde_json::{Value, json};

use super::value::{Datum, Row, Uuid};

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation(Value);

/// Which rows an operation is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Value);

impl Condition {
    /// The column is this.
    pub fn is(column: &str, value: impl Into<Datum>) -> Self {
        Self(json!([column, "==", value.into().json()]))
    }

    /// The column has this, and may have more.
    pub fn includes(column: &str, value: impl Into<Datum>) -> Self {
        Self(json!([column, "includes", value.into().json()]))
    }

    /// The column's number is less.
    pub fn less(column: &str, number: i64) -> Self {
        Self(json!([column, "<", number]))
    }
}

fn all(conditions: &[Condition]) -> Value {
    conditions.iter().map(|condition| condition.0.clone()).collect()
}

impl Operation {
    /// Reads columns of rows.
    pub fn select(table: &str, conditions: &[Condition], columns: &[&str]) -> Self {
        Self(json!({ "op": "select", "table": table, "where": all(conditions), "columns": columns }))
    }

    /// Reads all columns of rows.
    pub fn select_whole(table: &str, conditions: &[Condition]) -> Self {
        Self(json!({ "op": "select", "table": table, "where": all(conditions) }))
    }

    /// Makes a row; in this transaction others may point to it by `name`.
    pub fn insert(table: &str, name: &str, row: Row) -> Self {
        Self(json!({ "op": "insert", "table": table, "uuid-name": name, "row": row.json() }))
    }

    /// Puts values into a column of rows.
    pub fn add(table: &str, conditions: &[Condition], column: &str, values: impl Into<Datum>) -> Self {
        Self::mutate(table, conditions, &json!([column, "insert", values.into().json()]))
    }

    /// Takes values out of a column of rows.
    pub fn take(table: &str, conditions: &[Condition], column: &str, values: impl Into<Datum>) -> Self {
        Self::mutate(table, conditions, &json!([column, "delete", values.into().json()]))
    }

    /// Adds one to a number.
    pub fn increment(table: &str, column: &str) -> Self {
        Self::mutate(table, &[], &json!([column, "+=", 1]))
    }

    fn mutate(table: &str, conditions: &[Condition], mutation: &Value) -> Self {
        Self(json!({ "op": "mutate", "table": table, "where": all(conditions), "mutations": [mutation] }))
    }

    /// Removes rows.
    pub fn delete(table: &str, conditions: &[Condition]) -> Self {
        Self(json!({ "op": "delete", "table": table, "where": all(conditions) }))
    }

    /// Goes on when the rows that are found have these values of `column`, whatever their order; without rows, when
    /// none is found. The error is `timed out`.
    pub fn wait(
        table: &str,
        conditions: &[Condition],
        column: &str,
        rows: Vec<Row>,
        timeout: Duration,
    ) -> Self {
        let rows: Vec<_> = rows.into_iter().map(Row::json).collect();
        let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        Self(json!({
            "op": "wait", "table": table, "where": all(conditions), "columns": [column],
            "until": "==", "rows": rows, "timeout": milliseconds,
        }))
    }

    /// A line for the database's log, which says who changed it.
    pub fn comment(text: &str) -> Self {
        Self(json!({ "op": "comment", "comment": text }))
    }

    /// The operation as JSON.
    pub fn json(self) -> Value {
        self.0
    }
}

/// What one operation did.
#[derive(Debug, Clone, PartialEq)]
pub enum OpResult {
    /// Found rows.
    Rows(Vec<Row>),
    /// Changed so many rows.
    Count(u64),
    /// Made this row.
    Inserted(Uuid),
    /// No more to report.
    Done,
}

impl OpResult {
    /// The result that JSON stands for.
    pub(super) fn parse(value: &mut Value) -> Option<Self> {
        if let Value::Array(rows) = value["rows"].take() {
            return rows.into_iter().map(Row::parse).collect::<Option<_>>().map(Self::Rows);
        }
        if let Some(count) = value["count"].as_u64() {
            return Some(Self::Count(count));
        }
        match &value["uuid"] {
            Value::Null => Some(Self::Done),
            Value::Array(pair) => {
                pair.get(1).and_then(Value::as_str).and_then(Uuid::parse).map(Self::Inserted)
            }
            _ => None,
        }
    }

    /// The rows that a `select` found; none if it was something else.
    pub fn rows(self) -> Vec<Row> {
        if let Self::Rows(rows) = self { rows } else { Vec::new() }
    }
}
