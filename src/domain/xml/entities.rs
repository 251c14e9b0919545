use std::borrow::Cow;

use quick_xml::escape::unescape;

/// An attribute's value with its entities resolved; they were checked when the document was read.
pub(in super::super) fn resolve(raw: &str) -> Cow<'_, str> {
    unescape(raw).unwrap_or(Cow::Borrowed(raw))
}
