//! From a string to a [`Document`]. The only files that name `quick_xml`.
//!
//! quick-xml is a tokenizer, not a validator: it silently accepts an unclosed or a second root, text outside the root,
//! a DOCTYPE and unknown entities. Well-formedness is enforced here, so that Go's `encoding/xml` and libxml2 can read
//! whatever passes.

mod characters;
mod declaration;
pub(super) mod entities;
mod error;
mod scan;

pub(super) use error::TOO_MANY_ELEMENTS;
pub use error::XmlError;

use super::document::Document;

/// Reads a document, or reports the first mistake in it.
pub(super) fn parse(bytes: &[u8]) -> Result<Document<'_>, XmlError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(error::fail(bytes, error.valid_up_to(), "not UTF-8")),
    };
    parse_text(text)
}

/// The same for what is known to be UTF-8.
pub(super) fn parse_text(text: &str) -> Result<Document<'_>, XmlError> {
    characters::check_characters(text)?;
    scan::Scan::new(text).run()
}

#[cfg(test)]
mod tests;
