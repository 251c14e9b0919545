//! Structured events on standard error.

use tracing::Level;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object for each event.
    Json,
    /// One line of text for each event.
    Text,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// How events are written.
    pub format: Format,
    /// The least important level that is written.
    pub level: Level,
}

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(logging: Logging) {
    // Without internal errors: they go to standard error too, and where nobody reads that they would panic.
    let subscriber = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_max_level(logging.level);
    // Only a second call could fail.
    let _ = match logging.format {
        Format::Json => subscriber.json().flatten_event(true).with_span_list(false).try_init(),
        Format::Text => subscriber.with_ansi(false).try_init(),
    };
}
