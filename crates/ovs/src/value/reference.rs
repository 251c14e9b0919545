use std::fmt;

use serde::{Deserialize, Serialize};

/// The identity of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(&'static str, String)")]
pub struct Uuid(String);

impl Uuid {
    /// The identity in a string: 32 hex digits with hyphens after the 8th, 12th, 16th and 20th.
    pub fn parse(text: &str) -> Option<Self> {
        let hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
        let fits = |(at, byte): (usize, u8)| match hyphen(at) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        };
        (text.len() == 36 && text.bytes().enumerate().all(fits)).then(|| Self(text.to_owned()))
    }
}

impl TryFrom<(String, String)> for Uuid {
    type Error = &'static str;

    fn try_from((tag, text): (String, String)) -> Result<Self, Self::Error> {
        Some(text).filter(|_| tag == "uuid").and_then(|text| Self::parse(&text)).ok_or("is not a UUID")
    }
}

impl From<Uuid> for (&'static str, String) {
    fn from(uuid: Uuid) -> Self {
        ("uuid", uuid.0)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row that the same transaction inserts under a name.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Named<'n>(&'static str, &'n str);

impl<'n> Named<'n> {
    /// The row inserted under this name.
    pub fn row(name: &'n str) -> Self {
        Self("named-uuid", name)
    }
}
