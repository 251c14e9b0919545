use std::{io, path::PathBuf, time::Duration};

use super::value::ValueError;
use vocabulary::Quoted;

/// Why a question to ovsdb-server or ovs-vswitchd has no answer. Each names the socket.
#[derive(Debug, thiserror::Error)]
pub enum OvsdbError {
    /// There is no such socket.
    #[error("socket {0} does not exist: check that its server runs and that this is its path")]
    Missing(PathBuf),
    /// The socket's file is there, and nobody listens.
    #[error("nobody listens on socket {0}: start its server")]
    Refused(PathBuf),
    /// This process may not use the socket, or its path cannot be one.
    #[error("socket {socket}: cannot connect: {error}; check the path and that this process may write to it")]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// The time is over.
    #[error(
        "socket {socket}: {doing} had no answer within {:.1}s: its server is stopped, hangs or is overloaded; look at \
         its log and restart it",
        .waited.as_secs_f64()
    )]
    Deadline {
        /// The socket.
        socket: PathBuf,
        /// What was being done.
        doing: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The server hung up.
    #[error("socket {socket}: the server closed the connection during {doing}: look at its log")]
    Closed {
        /// The socket.
        socket: PathBuf,
        /// What was being done.
        doing: String,
    },
    /// The kernel said no in the middle.
    #[error("socket {socket}: {doing}: {error}")]
    Io {
        /// The socket.
        socket: PathBuf,
        /// What was being done.
        doing: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// What came is not what the protocol says.
    #[error(
        "socket {socket}: the answer to {doing} cannot be read: {problem}; check that this is the right socket"
    )]
    Malformed {
        /// The socket.
        socket: PathBuf,
        /// What was being done.
        doing: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server refused the request as a whole.
    #[error("socket {socket}: the server refused {doing}: {}", Quoted(.error))]
    Rejected {
        /// The socket.
        socket: PathBuf,
        /// What was being done.
        doing: String,
        /// The server's words.
        error: String,
    },
    /// An operation failed, and with it the transaction: nothing was changed.
    #[error("socket {socket}: operation {index} of the transaction failed: {}{}", Quoted(.error), in_brackets(.details))]
    Operation {
        /// The socket.
        socket: PathBuf,
        /// Its place in the transaction, from 0; the number of operations if committing them failed.
        index: usize,
        /// The server's word for it, such as `timed out`.
        error: String,
        /// More words; may be empty.
        details: String,
    },
    /// There is no bridge of this name.
    #[error("OVS at socket {socket} has no bridge {}: create it, or correct the name", Quoted(.bridge))]
    NoBridge {
        /// OVSDB's socket.
        socket: PathBuf,
        /// The bridge's name.
        bridge: String,
    },
}

impl OvsdbError {
    /// Whether the server cannot be spoken to at all: waiting or starting it may help, another question will not.
    pub fn is_out_of_reach(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Refused(_) | Self::Connect { .. } => true,
            Self::Deadline { .. } | Self::Closed { .. } | Self::Io { .. } => true,
            Self::Malformed { .. } | Self::Rejected { .. } => false,
            Self::Operation { .. } | Self::NoBridge { .. } => false,
        }
    }

    /// The failed operation's place and the server's word for it, if it is such a failure.
    pub fn operation(&self) -> Option<(usize, &str)> {
        match self {
            Self::Operation { index, error, .. } => Some((*index, error)),
            _ => None,
        }
    }

    pub(super) fn of_value(socket: PathBuf, error: &ValueError) -> Self {
        Self::Malformed { socket, doing: "transact".to_owned(), problem: error.to_string() }
    }
}

fn in_brackets(details: &str) -> String {
    if details.is_empty() { String::new() } else { format!(" ({})", Quoted(details)) }
}
