//! Servers for the unit tests: a socket, and a script for what happens on it.

use std::{
    io::{BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Time enough for what must succeed.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Listens in `dir` and gives the first connection to the script.
pub fn serve(dir: &Path, script: impl FnOnce(UnixStream) + Send + 'static) -> PathBuf {
    let path = dir.join("db.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || script(listener.accept().unwrap().0));
    path
}

/// The requests of a connection, one after the other.
pub fn requests(socket: &UnixStream) -> impl Iterator<Item = Value> + use<> {
    let reader = BufReader::new(socket.try_clone().unwrap());
    serde_json::Deserializer::from_reader(reader).into_iter().map_while(Result::ok)
}

/// Listens in `dir` and answers the requests of the first connection with these results.
pub fn answer(dir: &Path, results: Vec<Value>) -> PathBuf {
    serve(dir, move |mut socket| {
        for (request, result) in requests(&socket).zip(results) {
            let answer = json!({"id": request["id"], "result": result, "error": null});
            socket.write_all(answer.to_string().as_bytes()).unwrap();
        }
    })
}

/// Listens in `dir` and gives the requests of all connections, one connection after the other, these answers; when
/// there is none left it hangs up. What was asked comes out of the receiver.
pub fn script(dir: &Path, answers: Vec<Value>) -> (PathBuf, mpsc::Receiver<Value>) {
    let path = dir.join("db.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            for request in requests(&socket) {
                let Some(result) = answers.next() else { break };
                let answer = json!({"id": request["id"], "result": result, "error": null});
                // Whoever asked may be gone: it is reported all the same.
                let _ = tell.send(request["params"].clone());
                let _ = socket.write_all(answer.to_string().as_bytes());
            }
        }
    });
    (path, told)
}
