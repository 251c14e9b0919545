use std::{
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};

use super::{OvsdbError, frames::Frames, stream::Stream};

/// How much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A connection for JSON-RPC 1.0: one question at a time.
#[derive(Debug)]
pub(super) struct Rpc {
    stream: Stream,
    frames: Frames,
    socket: PathBuf,
    started: Instant,
    last_id: u64,
    chunk: Vec<u8>,
}

impl Rpc {
    pub(super) fn connect(socket: &Path, deadline: Instant) -> Result<Self, OvsdbError> {
        let (socket, started) = (socket.to_owned(), Instant::now());
        match Stream::connect(&socket, deadline) {
            Ok(stream) => {
                let (frames, chunk) = (Frames::default(), vec![0; CHUNK]);
                Ok(Self { stream, frames, socket, started, last_id: 0, chunk })
            }
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound => OvsdbError::Missing(socket),
                io::ErrorKind::ConnectionRefused => OvsdbError::Refused(socket),
                io::ErrorKind::TimedOut => {
                    let (doing, waited) = ("connecting".to_owned(), started.elapsed());
                    OvsdbError::Deadline { socket, doing, waited }
                }
                _ => OvsdbError::Connect { socket, error },
            }),
        }
    }

    /// Sets another deadline for everything that follows.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.started = Instant::now();
        self.stream.set_deadline(deadline);
    }

    /// The socket, for messages.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks, and waits for the answer.
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Value, OvsdbError> {
        self.last_id += 1;
        let id = Value::from(self.last_id);
        self.send(method, &json!({ "method": method, "params": params, "id": id }))?;
        loop {
            let mut message = self.receive(method)?;
            if message.get("method").is_some() {
                self.obey(method, &message)?;
            } else if message["id"] == id {
                return match message["error"].take() {
                    Value::Null => Ok(message["result"].take()),
                    error => Err(self.rejected(method, &error)),
                };
            }
        }
    }

    /// The server's own requests: only `echo` has an answer, which tells it that we live. Notifications are not asked
    /// for and mean nothing here.
    fn obey(&mut self, doing: &str, request: &Value) -> Result<(), OvsdbError> {
        if request["method"] != "echo" || request["id"].is_null() {
            return Ok(());
        }
        let reply = json!({ "id": request["id"], "result": request["params"], "error": null });
        self.send(doing, &reply)
    }

    fn send(&mut self, doing: &str, message: &Value) -> Result<(), OvsdbError> {
        self.stream.write(message.to_string().as_bytes()).map_err(|error| self.broken(doing, error))
    }

    fn receive(&mut self, doing: &str) -> Result<Value, OvsdbError> {
        loop {
            match self.frames.next() {
                Ok(Some(message)) => {
                    let parsed = serde_json::from_slice(message);
                    return parsed.map_err(|error| self.malformed(doing, error.to_string()));
                }
                Ok(None) => {}
                Err(error) => return Err(self.malformed(doing, error.to_string())),
            }
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Err(self.closed(doing)),
                Ok(length) => self.frames.push(self.chunk.get(..length).unwrap_or_default()),
                Err(error) => return Err(self.broken(doing, error)),
            }
        }
    }

    fn broken(&self, doing: &str, error: io::Error) -> OvsdbError {
        let socket = self.socket.clone();
        match error.kind() {
            io::ErrorKind::TimedOut => {
                OvsdbError::Deadline { socket, doing: doing.to_owned(), waited: self.started.elapsed() }
            }
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.closed(doing),
            _ => OvsdbError::Io { socket, doing: doing.to_owned(), error },
        }
    }

    fn closed(&self, doing: &str) -> OvsdbError {
        OvsdbError::Closed { socket: self.socket.clone(), doing: doing.to_owned() }
    }

    fn malformed(&self, doing: &str, problem: String) -> OvsdbError {
        OvsdbError::Malformed { socket: self.socket.clone(), doing: doing.to_owned(), problem }
    }

    fn rejected(&self, doing: &str, error: &Value) -> OvsdbError {
        let error = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        OvsdbError::Rejected { socket: self.socket.clone(), doing: doing.to_owned(), error }
    }
}
