/// The most that one message may have, in bytes. Ten thousand ports with all their columns are a tenth of it.
pub(super) const MESSAGE_MAX: usize = 64 << 20;

/// JSON objects out of a stream of bytes, however it is cut. Looks at each byte once.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    /// Where the message begins.
    start: usize,
    /// How far it was looked at.
    seen: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// What came is not a JSON object, or one that is too large.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a message begins with byte {0:#04x}, not with '{{'")]
    NoObject(u8),
    #[error("a message has more than {MESSAGE_MAX} bytes")]
    TooLarge,
}

impl Frames {
    /// Takes what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if it is there.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, FrameError> {
        while let Some(&byte) = self.buffer.get(self.seen) {
            self.seen += 1;
            if self.depth == 0 {
                self.begin(byte)?;
            } else if self.ends_with(byte) {
                let message = self.buffer.get(self.start..self.seen);
                self.start = self.seen;
                return Ok(message);
            }
        }
        if self.buffer.len() - self.start > MESSAGE_MAX { Err(FrameError::TooLarge) } else { Ok(None) }
    }

    fn begin(&mut self, byte: u8) -> Result<(), FrameError> {
        match byte {
            b'{' => self.depth = 1,
            b' ' | b'\t' | b'\r' | b'\n' => self.start = self.seen,
            other => return Err(FrameError::NoObject(other)),
        }
        Ok(())
    }

    /// Whether the message ends with this byte.
    fn ends_with(&mut self, byte: u8) -> bool {
        match (self.in_string, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (true, b'"') => self.in_string = false,
            (true, _) => {}
            (false, b'"') => self.in_string = true,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => self.depth -= 1,
            (false, _) => {}
        }
        self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::{Value, json};

    use super::*;

    fn messages(stream: &[u8], cuts: &[usize]) -> Vec<Value> {
        let (mut frames, mut found, mut rest) = (Frames::default(), Vec::new(), stream);
        for cut in cuts.iter().copied().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            frames.push(piece);
            rest = after;
            while let Some(message) = frames.next().unwrap() {
                found.push(serde_json::from_slice(message).unwrap());
            }
        }
        found
    }

    proptest! {
        #[test]
        fn finds_them_however_the_stream_is_cut(
            texts in vec(r#"[\\"{}\[\]a]{0,8}"#, 0..5),
            cuts in vec(0_usize..20, 0..20),
        ) {
            let sent: Vec<_> = texts.iter().map(|text| json!({"id": text, "x": [{}, [text]]})).collect();
            let stream: String = sent.iter().map(|message| format!(" \n{message}")).collect();
            prop_assert_eq!(messages(stream.as_bytes(), &cuts), sent);
        }
    }

    #[test]
    fn refuses_what_is_no_object() {
        let mut frames = Frames::default();
        frames.push(b" [1]");
        assert_eq!(frames.next().unwrap_err().to_string(), "a message begins with byte 0x5b, not with '{'");
    }

    #[test]
    fn bounds_a_message() {
        let mut frames = Frames::default();
        frames.push(br#"{"a":""#);
        assert_eq!(frames.next(), Ok(None));
        frames.push(&vec![b'x'; MESSAGE_MAX]);
        assert_eq!(frames.next(), Err(FrameError::TooLarge));
    }
}
