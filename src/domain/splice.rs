//! Replaces byte ranges of a string; knows nothing of XML.

use std::ops::Range;

/// One change: replaces these bytes with `text`. An empty range inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl Edit {
    pub(super) fn insert(at: usize, text: String) -> Self {
        Self { range: at..at, text }
    }

    pub(super) fn replace(range: Range<usize>, text: String) -> Self {
        Self { range, text }
    }

    pub(super) fn remove(range: Range<usize>) -> Self {
        Self { range, text: String::new() }
    }
}

/// Two edits overlap, or one is outside the text: a bug in the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overlap;

/// Copies `input` with the edits applied; everything outside their ranges stays unchanged.
pub(super) fn splice(input: &str, mut edits: Vec<Edit>) -> Result<String, Overlap> {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let added: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut output = String::with_capacity(input.len() + added);
    let mut copied = 0;
    for edit in edits {
        output.push_str(input.get(copied..edit.range.start).ok_or(Overlap)?);
        output.push_str(&edit.text);
        copied = edit.range.end;
    }
    output.push_str(input.get(copied..).ok_or(Overlap)?);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(range: Range<usize>, text: &str) -> Edit {
        Edit { range, text: text.to_owned() }
    }

    #[test]
    fn applies_edits_in_the_order_of_the_text() {
        let edits = vec![edit(5..5, "!"), edit(0..1, "J"), edit(1..1, "-"), edit(3..4, "")];
        assert_eq!(splice("hello", edits), Ok("J-elo!".to_owned()));
        assert_eq!(splice("same", Vec::new()), Ok("same".to_owned()));
    }

    #[test]
    fn refuses_edits_that_meet() {
        for (a, b) in [(0..3, 2..4), (1..1, 0..2), (0..9, 9..9), (4..9, 4..9)] {
            assert_eq!(splice("hello", vec![edit(a, "x"), edit(b, "y")]), Err(Overlap));
        }
    }
}
