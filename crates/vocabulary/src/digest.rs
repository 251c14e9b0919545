use sha2::{Digest, Sha256};

/// The first hex digits of the text's SHA-256, at most 64: a name that is short, safe and always the same.
pub fn short_digest(text: &str, digits: usize) -> String {
    let hex = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    hex.chars().take(digits).collect()
}
