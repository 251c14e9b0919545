//! A socket between the plugin and ovsdb-server that counts what passes, and loses an answer where it is told to.

use std::fs;
use std::io::{BufReader, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use serde_json::{Deserializer, Value};

use super::lab::{CONTROL, OVSDB};

const DIR: &str = "/run/cni-proxy";

/// What goes wrong, and at which request, counted from 0 over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// The answer is lost, and the connection stays.
    Swallow(usize),
}

pub(crate) struct Proxy {
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    fault: Fault,
    requests: Mutex<Vec<Value>>,
    ended: AtomicBool,
}

impl Proxy {
    pub(crate) fn new(fault: Fault) -> Result<Self> {
        let _ = fs::remove_dir_all(DIR);
        fs::create_dir(DIR)?;
        // ovs-vswitchd's control socket is looked for beside the database's.
        symlink(CONTROL, Path::new(DIR).join("ovs-vswitchd.ctl"))?;
        let listener = UnixListener::bind(Self::socket())?;
        let shared = Arc::new(Shared { fault, requests: Mutex::default(), ended: AtomicBool::new(false) });
        let listening = Some(thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.listen(&listener)
        }));
        Ok(Self { shared, listening })
    }

    pub(crate) fn socket() -> PathBuf {
        Path::new(DIR).join("db.sock")
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.shared.requests().clone()
    }

    /// Those that would change something.
    pub(crate) fn writing(&self) -> usize {
        self.requests().iter().filter(|request| writes(request)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the one that listens.
        let _ = UnixStream::connect(Self::socket());
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
        let _ = fs::remove_dir_all(DIR);
    }
}

impl Shared {
    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: &Arc<Self>, listener: &UnixListener) {
        for client in listener.incoming().flatten() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let shared = Arc::clone(self);
            // Ends with the connection.
            thread::spawn(move || shared.serve(&client));
        }
    }

    /// A plugin may hang up in the middle; that is no failure of this side.
    fn serve(&self, client: &UnixStream) -> Result<()> {
        let server = UnixStream::connect(OVSDB)?;
        let mut answers = Deserializer::from_reader(BufReader::new(&server)).into_iter::<Value>();
        for message in Deserializer::from_reader(BufReader::new(client)).into_iter::<Value>() {
            let message = message?;
            // An answer to the server's `echo` has no method, and no answer.
            if message.get("method").is_none() {
                send(&server, &message)?;
                continue;
            }
            let number = self.note(&message);
            send(&server, &message)?;
            let answer = answers.next().context("ovsdb-server hung up")??;
            if self.fault != Fault::Swallow(number) {
                send(client, &answer)?;
            }
        }
        Ok(())
    }

    fn note(&self, request: &Value) -> usize {
        let mut requests = self.requests();
        requests.push(request.clone());
        requests.len() - 1
    }
}

fn send(mut to: &UnixStream, message: &Value) -> Result<()> {
    to.write_all(message.to_string().as_bytes()).map_err(|error| anyhow!(error))
}

fn writes(request: &Value) -> bool {
    let operations = request["params"].as_array().into_iter().flatten();
    let words = operations.filter_map(|operation| operation["op"].as_str());
    request["method"] == "transact"
        && words.into_iter().any(|op| ["insert", "update", "mutate", "delete"].contains(&op))
}
