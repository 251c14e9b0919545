use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
    vec,
};

use serde_json::Value;

use super::{
    OvsdbError,
    operation::{OpResult, Operation},
    rows::Table,
    rpc::Rpc,
    value::ValueError,
};

/// Open vSwitch's database.
pub const DATABASE: &str = "Open_vSwitch";

/// How often a lock is asked for before it counts as held.
const PROBES: usize = 4;

/// Longer than anybody who only asks for a lock has it.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection to ovsdb-server.
#[derive(Debug)]
pub struct Client {
    rpc: Rpc,
}

impl Client {
    /// Connects. The deadline is that of everything the connection is used for.
    ///
    /// # Errors
    /// The socket is missing, nobody listens, or the server does not take the connection in time.
    pub fn connect(socket: &Path, deadline: Instant) -> Result<Self, OvsdbError> {
        Rpc::connect(socket, deadline).map(|rpc| Self { rpc })
    }

    /// Sets another deadline for everything that follows.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.rpc.set_deadline(deadline);
    }

    /// The same as [`Self::transact`], for reading the results as rows of tables.
    ///
    /// # Errors
    /// As there.
    pub fn ask(&mut self, database: &str, operations: Vec<Operation>) -> Result<Answers, OvsdbError> {
        let results = self.transact(database, operations)?.into_iter();
        Ok(Answers { results, socket: self.rpc.socket().to_owned() })
    }

    /// Carries out all operations or none. The results are as many as the operations.
    ///
    /// # Errors
    /// An operation failed, and nothing was changed; or there was no answer, and then it is not known.
    pub fn transact(
        &mut self,
        database: &str,
        operations: Vec<Operation>,
    ) -> Result<Vec<OpResult>, OvsdbError> {
        let count = operations.len();
        let mut params = vec![Value::from(database)];
        params.extend(operations.into_iter().map(Operation::json));
        match self.rpc.call("transact", &Value::Array(params))? {
            Value::Array(results) => self.results(results, count),
            _ => Err(self.malformed("the results are not a list")),
        }
    }

    /// Whether some other client of the database holds this lock (RFC 7047, 4.1.8). It is asked for and, granted or not,
    /// given up again. Others who only ask have it for a moment, one after the other.
    ///
    /// # Errors
    /// There was no answer.
    pub fn is_held(&mut self, lock: &str) -> Result<bool, OvsdbError> {
        for _ in 1..PROBES {
            if !self.is_held_now(lock)? {
                return Ok(false);
            }
            thread::sleep(PAUSE);
        }
        self.is_held_now(lock)
    }

    fn is_held_now(&mut self, lock: &str) -> Result<bool, OvsdbError> {
        let name = Value::Array(vec![lock.into()]);
        let granted = self.rpc.call("lock", &name)?["locked"].as_bool();
        self.rpc.call("unlock", &name)?;
        granted.map(|granted| !granted).ok_or_else(|| self.malformed("a lock's answer has no 'locked'"))
    }

    /// A failed operation is an object with `error`, those after it are null; a failure to commit comes after all.
    fn results(&self, results: Vec<Value>, count: usize) -> Result<Vec<OpResult>, OvsdbError> {
        let mut parsed = Vec::with_capacity(count);
        for (index, mut result) in results.into_iter().enumerate() {
            if !result["error"].is_null() {
                let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
                let (socket, error, details) = (self.rpc.socket().to_owned(), text("error"), text("details"));
                return Err(OvsdbError::Operation { socket, index, error, details });
            }
            match result.is_object().then(|| OpResult::parse(&mut result)).flatten() {
                Some(done) => parsed.push(done),
                None => return Err(self.malformed("a result has an unknown form")),
            }
        }
        if parsed.len() == count {
            return Ok(parsed);
        }
        Err(self.malformed("there are not as many results as operations"))
    }

    /// A column that is not what the schema says, as an error with the socket's name.
    pub fn unreadable(&self, error: &ValueError) -> OvsdbError {
        OvsdbError::of_value(self.rpc.socket().to_owned(), error)
    }

    fn malformed(&self, problem: &str) -> OvsdbError {
        let (socket, doing) = (self.rpc.socket().to_owned(), "transact".to_owned());
        OvsdbError::Malformed { socket, doing, problem: problem.to_owned() }
    }
}

/// The results of a transaction, one after the other.
#[derive(Debug)]
pub struct Answers {
    results: vec::IntoIter<OpResult>,
    socket: PathBuf,
}

impl Answers {
    /// Passes over the next result.
    pub fn skip(&mut self) {
        let _ = self.results.next();
    }

    /// Passes over all results but the last.
    pub fn last(mut self) -> Self {
        self.results = self.results.next_back().into_iter().collect::<Vec<_>>().into_iter();
        self
    }

    /// The rows that the next operation, a `select`, has found.
    ///
    /// # Errors
    /// A column is not what the schema says.
    pub fn rows<T: Table>(&mut self) -> Result<Vec<T>, OvsdbError> {
        let rows = self.results.next().map(OpResult::rows).unwrap_or_default();
        let rows: Result<_, _> = rows.iter().map(T::read).collect();
        rows.map_err(|error| OvsdbError::of_value(self.socket.clone(), &error))
    }
}

#[cfg(test)]
mod tests;
