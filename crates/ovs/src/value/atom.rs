use std::fmt;

use serde_json::{Value, json};

/// The identity of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(String);

impl Uuid {
    /// The identity that a text is: 32 hex digits with hyphens after the 8th, 12th, 16th and 20th.
    pub fn parse(text: &str) -> Option<Self> {
        let hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
        let fits = |(at, byte): (usize, u8)| match hyphen(at) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        };
        (text.len() == 36 && text.bytes().enumerate().all(fits)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Atom {
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// A truth value.
    Boolean(bool),
    /// A text.
    Text(String),
    /// A row.
    Uuid(Uuid),
    /// A row that the same transaction inserts under this name.
    Named(String),
}

impl Atom {
    /// The value as JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Integer(number) => json!(number),
            Self::Real(number) => json!(number),
            Self::Boolean(truth) => json!(truth),
            Self::Text(text) => json!(text),
            Self::Uuid(uuid) => json!(["uuid", uuid.0]),
            Self::Named(name) => json!(["named-uuid", name]),
        }
    }

    /// The value that JSON stands for.
    pub fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(truth) => Some(Self::Boolean(*truth)),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => {
                number.as_i64().map(Self::Integer).or_else(|| number.as_f64().map(Self::Real))
            }
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(tag), Value::String(text)] if tag == "uuid" => {
                    Uuid::parse(text).map(Self::Uuid)
                }
                [Value::String(tag), Value::String(text)] if tag == "named-uuid" => {
                    Some(Self::Named(text.clone()))
                }
                _ => None,
            },
            Value::Null | Value::Object(_) => None,
        }
    }
}

impl From<&str> for Atom {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Atom {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Atom {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Atom {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<&Uuid> for Atom {
    fn from(uuid: &Uuid) -> Self {
        Self::Uuid(uuid.clone())
    }
}

/// A type that atoms of one kind become.
pub trait FromAtom: Sized {
    /// What is expected, for messages.
    const KIND: &'static str;

    /// The value, if the atom is of the kind.
    fn of(atom: Atom) -> Option<Self>;
}

impl FromAtom for String {
    const KIND: &'static str = "text";

    fn of(atom: Atom) -> Option<Self> {
        if let Atom::Text(text) = atom { Some(text) } else { None }
    }
}

impl FromAtom for i64 {
    const KIND: &'static str = "whole number";

    fn of(atom: Atom) -> Option<Self> {
        if let Atom::Integer(number) = atom { Some(number) } else { None }
    }
}

impl FromAtom for bool {
    const KIND: &'static str = "truth value";

    fn of(atom: Atom) -> Option<Self> {
        if let Atom::Boolean(truth) = atom { Some(truth) } else { None }
    }
}

impl FromAtom for Uuid {
    const KIND: &'static str = "row";

    fn of(atom: Atom) -> Option<Self> {
        if let Atom::Uuid(uuid) = atom { Some(uuid) } else { None }
    }
}
