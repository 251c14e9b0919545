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
