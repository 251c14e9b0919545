//! A stand-in for a cluster's API server, of which no package exists, as far as the documented commands need it. It stores
//! objects and applies merge and JSON patches. It has no admission and no controllers, and does not validate: the manifests
//! tests check the objects, and `kubectl.rs` compares what kubectl sends.

mod discovery;
mod http;
mod patch;
mod store;

use std::{
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::{Value, json};

use http::{Answer, Request};
use store::Store;

#[derive(Clone)]
pub struct ApiServer {
    pub address: String,
    store: Arc<Mutex<Store>>,
}

impl ApiServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap().to_string(), store: Arc::default() };
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let server = serving.clone();
                thread::spawn(move || server.serve(&stream.unwrap()));
            }
        });
        server
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object that someone else in the cluster has created.
    pub fn put(&self, path: &str, object: Value) {
        self.store().objects.insert(path.to_owned(), object);
    }

    pub fn object(&self, path: &str) -> Value {
        self.store().objects.get(path).unwrap_or_else(|| panic!("nothing at {path}")).clone()
    }

    /// What a container of a pod has printed.
    pub fn put_log(&self, pod: &str, container: &str, text: &str) {
        self.store().logs.insert((pod.to_owned(), container.to_owned()), text.to_owned());
    }

    /// All changes so far, as method, path and body.
    pub fn take_changes(&self) -> Vec<(String, String, Value)> {
        std::mem::take(&mut self.store().changes)
    }

    fn serve(&self, stream: &TcpStream) {
        let Some(request) = Request::read(stream) else { return };
        self.answer(&request).write(stream);
    }

    fn answer(&self, request: &Request) -> Answer {
        if let Some(found) = discovery::document(&request.path) {
            return Answer::json(200, &found);
        }
        let mut store = self.store();
        match request.method.as_str() {
            "GET" => store.get(request),
            "POST" => store.create(request),
            "PATCH" => store.patch(request),
            method => failure(405, "MethodNotAllowed", &format!("{method} is not known here")),
        }
    }
}

/// A refusal, as Kubernetes returns it.
fn failure(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": message});
    Answer::json(code, &status)
}
