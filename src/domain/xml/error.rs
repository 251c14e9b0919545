/// The problem of a document with more elements than are read.
pub(in super::super) const TOO_MANY_ELEMENTS: &str =
    "more than 100000 elements, the most that this sidecar edits";

/// Why a string is not a document that can be edited. Contains a place and a fact, never content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct XmlError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

pub(super) fn fail(bytes: &[u8], position: usize, problem: &'static str) -> XmlError {
    let line = 1 + bytes.iter().take(position).filter(|&&b| b == b'\n').count();
    XmlError { line, problem }
}
