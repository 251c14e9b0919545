//! The XML declaration.

const BROKEN: &str = "a broken XML declaration";

/// Accepts XML 1.0 in UTF-8, or says what is wrong. `text` is what follows `<?xml`, without the `?>`.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let mut rest = text;
    let [version, encoding, standalone] = ["version", "encoding", "standalone"].map(|name| {
        let (value, after) = attribute(rest, name)?;
        rest = after;
        Some(value)
    });
    if !rest.trim_ascii().is_empty() || !matches!(standalone, None | Some("yes" | "no")) {
        return Err(BROKEN);
    }
    if version != Some("1.0") {
        return Err("an XML version other than 1.0");
    }
    match encoding {
        Some(other) if !other.eq_ignore_ascii_case("utf-8") => Err("an encoding other than UTF-8"),
        _ => Ok(()),
    }
}

/// The value of the attribute, if the text begins with white space and it, and what follows.
fn attribute<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let text = text.strip_prefix(|c: char| c.is_ascii_whitespace())?.trim_ascii_start();
    let value = text.strip_prefix(name)?.trim_ascii_start().strip_prefix('=')?.trim_ascii_start();
    match (value.strip_prefix('"'), value.strip_prefix('\'')) {
        (Some(rest), _) => rest.split_once('"'),
        (None, Some(rest)) => rest.split_once('\''),
        (None, None) => None,
    }
}
