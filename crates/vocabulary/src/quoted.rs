use std::fmt::{self, Write as _};

/// The most characters of a value that a message repeats.
const SHOWN: usize = 160;

/// An external value for messages and logs: in single quotes, with control characters escaped, truncated after
/// 160 characters, so that no input can forge a line or flood an event.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for c in self.0.chars().take(SHOWN) {
            match c {
                '\'' | '"' => f.write_char(c)?,
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        f.write_str(if self.0.chars().nth(SHOWN).is_some() { "…'" } else { "'" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_cuts() {
        assert_eq!(Quoted("a\nb").to_string(), r"'a\nb'");
        assert_eq!(Quoted("žluť").to_string(), "'žluť'");
        assert_eq!(Quoted(&"x".repeat(161)).to_string(), format!("'{}…'", "x".repeat(160)));
        assert_eq!(Quoted(&"x".repeat(160)).to_string(), format!("'{}'", "x".repeat(160)));
    }
}
