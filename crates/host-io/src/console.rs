//! What a command prints. Never `print!` and `eprintln!`, which panic if the reader is gone.

use std::io::{self, Write};

use crate::stderr;

/// Prints a command's output.
///
/// # Errors
/// Standard output cannot be written. A reader that closes early, as in `render … | head`, is not an error.
pub fn print(output: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(output).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints a line on standard error.
pub fn complain(message: &str) {
    stderr::say(&format!("{message}\n"));
}
