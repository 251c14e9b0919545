use sha2::{Digest, Sha256};

/// The first hex digits of the text's SHA-256, at most 64: a name that is short, safe and always the same.
pub fn short_digest(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let halves = digest.iter().flat_map(|&byte| [byte >> 4, byte & 0xf]);
    halves.take(digits).map(|half| char::from(b"0123456789abcdef"[usize::from(half)])).collect()
}
