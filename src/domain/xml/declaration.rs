//! The XML declaration, which quick-xml does not validate.

use quick_xml::{
    XmlVersion,
    events::{BytesDecl, BytesStart},
};

/// Accepts XML 1.0 in UTF-8, or says what is wrong.
pub(super) fn check(declaration: &BytesDecl<'_>) -> Result<(), &'static str> {
    if !is_well_formed(declaration) {
        return Err("a broken XML declaration");
    }
    if !matches!(declaration.xml_version(), Ok(XmlVersion::Explicit1_0)) {
        return Err("an XML version other than 1.0");
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err("an encoding other than UTF-8"),
    }
}

/// quick-xml searches a declaration for what it needs and accepts anything around it.
fn is_well_formed(declaration: &BytesDecl<'_>) -> bool {
    let raw = BytesStart::from_content(&**declaration, "xml".len());
    let mut known = ["version", "encoding", "standalone"].iter();
    let in_order = raw.attributes().all(|attribute| {
        attribute.is_ok_and(|found| {
            let before = found.key.0.as_ptr().addr().wrapping_sub(declaration.as_ptr().addr());
            let spaced =
                declaration.as_bytes().get(before.wrapping_sub(1)).is_some_and(u8::is_ascii_whitespace);
            spaced && known.any(|name| *name == found.key.0)
        })
    });
    let standalone =
        declaration.standalone().is_none_or(|value| matches!(value.as_deref(), Ok("yes" | "no")));
    in_order && standalone
}
