//! Structured events on standard error.

use std::{io, str::FromStr, sync::Arc};

use tracing::{Level, error};

use crate::log_queue::LogQueue;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object for each event.
    Json,
    /// One line of text for each event.
    Text,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("expected json or text"),
        }
    }
}

/// Reads a level's name in lower case.
///
/// # Errors
/// Anything else.
pub fn parse_level(text: &str) -> Result<Level, &'static str> {
    let known = ["error", "warn", "info", "debug", "trace"].contains(&text);
    let level = known.then(|| text.parse().ok()).flatten();
    level.ok_or("expected error, warn, info, debug or trace")
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// How events are written.
    pub format: Format,
    /// The minimum level.
    pub level: Level,
}

/// Writes what is left of the log when dropped; lives as long as the program logs.
#[must_use]
pub struct Flush(Arc<LogQueue>);

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(logging: Logging) -> Flush {
    let queue = LogQueue::new(Box::new(io::stderr()), report_dropped);
    let writer = Arc::clone(&queue);
    // tracing reports its own write errors with `eprintln!`, which panics when standard error is closed.
    let subscriber = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_writer(move || Line(Arc::clone(&writer)))
        .with_target(false)
        .with_max_level(logging.level);
    // Only a second call could fail.
    let _ = match logging.format {
        Format::Json => subscriber.json().flatten_event(true).with_span_list(false).try_init(),
        Format::Text => subscriber.with_ansi(false).try_init(),
    };
    Flush(queue)
}

/// An error, because every level shows those.
fn report_dropped(lines: u64) {
    error!(lines, "nobody read standard error: log lines were dropped here");
}

/// Takes one event, which tracing writes in one piece.
struct Line(Arc<LogQueue>);

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
