use std::{
    io::Write,
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
use serde_json::json;

use ovs_sim::{answer, requests, serve, soon};

use super::*;
use crate::{
    operation::Condition,
    value::{Datum, Row, Uuid},
};

fn ask(socket: &Path, deadline: Instant) -> Result<Vec<OpResult>, OvsdbError> {
    let operations = vec![Operation::select("Port", &[Condition::is("name", "p")], &["name"])];
    Client::connect(socket, deadline)?.transact(DATABASE, operations)
}

/// What is said of an error, without the socket's name.
fn said(error: &OvsdbError, socket: &Path) -> String {
    error.to_string().replace(socket.to_str().unwrap(), "S")
}

fn send(socket: &mut UnixStream, value: &Value) {
    socket.write_all(value.to_string().as_bytes()).unwrap();
}

#[test]
fn asks_as_the_protocol_says_and_reads_each_kind_of_result() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let socket = serve(dir.path(), move |mut socket| {
        let request = requests(&socket).next().unwrap();
        let result = json!([
            {}, {"rows": [{"name": "p"}]}, {"count": 2}, {"uuid": ["uuid", "36bef046-7da7-43a5-905a-c17899216fcb"]},
        ]);
        send(&mut socket, &json!({"id": request["id"], "result": result, "error": null}));
        tell.send(request).unwrap();
    });
    let is = [Condition::is("name", "p")];
    let operations = vec![
        Operation::wait("Port", &is, "name", vec![], Duration::from_millis(1500)),
        Operation::select("Port", &is, &["name"]),
        Operation::take("Bridge", &[Condition::includes("x", Datum::map([("k", "v")]))], "ports", "q"),
        Operation::insert("Port", "port", Row::default().with("tag", 5)),
    ];
    let results = Client::connect(&socket, soon()).unwrap().transact(DATABASE, operations).unwrap();
    let uuid = Uuid::parse("36bef046-7da7-43a5-905a-c17899216fcb").unwrap();
    let row = Row::default().with("name", "p");
    assert_eq!(
        results,
        [OpResult::Done, OpResult::Rows(vec![row]), OpResult::Count(2), OpResult::Inserted(uuid)]
    );
    assert_eq!(
        told.recv().unwrap(),
        json!({"id": 1, "method": "transact", "params": ["Open_vSwitch",
            {"op": "wait", "table": "Port", "where": [["name", "==", "p"]], "columns": ["name"], "until": "==",
             "rows": [], "timeout": 1500},
            {"op": "select", "table": "Port", "where": [["name", "==", "p"]], "columns": ["name"]},
            {"op": "mutate", "table": "Bridge", "where": [["x", "includes", ["map", [["k", "v"]]]]],
             "mutations": [["ports", "delete", "q"]]},
            {"op": "insert", "table": "Port", "uuid-name": "port", "row": {"tag": 5}},
        ]})
    );
}

#[test]
fn answers_echo_and_passes_over_what_it_did_not_ask_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |mut socket| {
        let mut asked = requests(&socket);
        let id = asked.next().unwrap()["id"].take();
        let words = [
            json!({"id": null, "method": "update", "params": [null, {}]}),
            json!({"id": "echo", "method": "echo", "params": ["still", "there?"]}),
            json!({"id": 99, "result": [], "error": null}),
        ];
        // Several messages in one piece.
        socket.write_all(words.iter().map(Value::to_string).collect::<String>().as_bytes()).unwrap();
        let echo = asked.next().unwrap();
        assert_eq!(echo, json!({"id": "echo", "result": ["still", "there?"], "error": null}));
        // One message in several pieces.
        let reply = json!({"id": id, "result": [{"rows": [{"name": "a\"}{"}]}], "error": null}).to_string();
        for byte in reply.as_bytes() {
            socket.write_all(&[*byte]).unwrap();
        }
    });
    let row = Row::default().with("name", "a\"}{");
    assert_eq!(ask(&socket, soon()).unwrap(), [OpResult::Rows(vec![row])]);
}

#[test]
fn tells_what_the_server_refuses() {
    for (result, text) in [
        (
            json!([{"error": "timed out", "details": "\"wait\" timed out"}]),
            "socket S: operation 0 of the transaction failed: 'timed out' ('\"wait\" timed out')",
        ),
        (json!([{}, {"error": "aborted"}]), "socket S: operation 1 of the transaction failed: 'aborted'"),
        (
            json!([]),
            "socket S: the answer to transact cannot be read: there are not as many results as operations; check that \
             this is the right socket",
        ),
        (
            json!([null]),
            "socket S: the answer to transact cannot be read: a result has an unknown form; check that this is the \
             right socket",
        ),
        (
            json!({}),
            "socket S: the answer to transact cannot be read: the results are not a list; check that this is the right \
             socket",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let socket = answer(dir.path(), vec![result]);
        let error = ask(&socket, soon()).unwrap_err();
        assert_eq!(said(&error, &socket), text);
        assert!(!error.is_out_of_reach());
    }
}

#[test]
fn tells_a_request_that_is_refused_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |mut socket| {
        let request = requests(&socket).next().unwrap();
        send(
            &mut socket,
            &json!({"id": request["id"], "result": null, "error": {"error": "unknown database"}}),
        );
    });
    let error = ask(&socket, soon()).unwrap_err();
    assert_eq!(
        said(&error, &socket),
        r#"socket S: the server refused transact: '{"error":"unknown database"}'"#
    );
}

#[test]
fn tells_who_is_no_ovsdb_server() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |mut socket| {
        socket.write_all(b"220 hello\r\n").unwrap();
        thread::sleep(Duration::from_secs(30));
    });
    let error = ask(&socket, soon()).unwrap_err();
    assert_eq!(
        said(&error, &socket),
        "socket S: the answer to transact cannot be read: a message begins with byte 0x32, not with '{'; check that \
         this is the right socket"
    );
}

#[test]
fn tells_a_server_that_hangs_up() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |socket| drop(requests(&socket).next()));
    let error = ask(&socket, soon()).unwrap_err();
    assert_eq!(
        said(&error, &socket),
        "socket S: the server closed the connection during transact: look at its log"
    );
    assert!(error.is_out_of_reach());
}

#[test]
fn tells_a_socket_that_is_not_there_and_one_where_nobody_listens() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("db.sock");
    assert_eq!(
        said(&ask(&socket, soon()).unwrap_err(), &socket),
        "socket S does not exist: check that its server runs and that this is its path"
    );
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let error = ask(&socket, soon()).unwrap_err();
    assert_eq!(said(&error, &socket), "nobody listens on socket S: start its server");
    let long = dir.path().join("x".repeat(108));
    let error = ask(&long, soon()).unwrap_err();
    assert!(matches!(error, OvsdbError::Connect { .. }) && error.is_out_of_reach(), "{error}");
}

/// Fails at the deadline and not before; how long after it says more about this machine than about the client.
fn ends_in_time(socket: &Path, doing: &str) {
    const TIME: Duration = Duration::from_secs(1);
    let mut error = ask(socket, Instant::now() + TIME).unwrap_err();
    let OvsdbError::Deadline { waited, .. } = &mut error else { panic!("{error}") };
    assert!(*waited < Duration::from_secs(25), "{waited:?}");
    // What was measured is not compared; the text is.
    *waited = TIME;
    assert_eq!(
        said(&error, socket),
        format!(
            "socket S: {doing} had no answer within 1.0s: its server is stopped, hangs or is overloaded; look at its log \
             and restart it"
        )
    );
    assert!(error.is_out_of_reach());
}

/// A stopped process: the kernel takes connections and bytes for it.
#[test]
fn a_server_that_says_nothing_ends_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |_socket| thread::sleep(Duration::from_secs(30)));
    ends_in_time(&socket, "transact");
}

#[test]
fn a_server_that_never_ends_its_answer_ends_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |mut socket| {
        let _ = socket.write_all(b"{\"a\": \"");
        while socket.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    ends_in_time(&socket, "transact");
}

#[test]
fn a_server_that_only_talks_of_other_things_ends_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |mut socket| {
        while socket.write_all(br#"{"id":null,"method":"update","params":[]}"#).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    ends_in_time(&socket, "transact");
}

#[test]
fn a_full_backlog_ends_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.sock");
    let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    ends_in_time(&path, "connecting");
}

#[test]
fn a_request_that_is_not_taken_ends_at_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |_socket| thread::sleep(Duration::from_secs(30)));
    let mut client = Client::connect(&socket, Instant::now() + Duration::from_millis(300)).unwrap();
    let more_than_a_buffer = vec![Operation::comment(&"x".repeat(8 << 20))];
    let error = client.transact(DATABASE, more_than_a_buffer).unwrap_err();
    assert!(matches!(error, OvsdbError::Deadline { .. }), "{error}");
}

#[test]
fn a_deadline_that_is_over_asks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let socket = serve(dir.path(), |_socket| {});
    assert!(matches!(ask(&socket, Instant::now()).unwrap_err(), OvsdbError::Deadline { .. }));
}

/// Two who ask at the same moment whether ovs-vswitchd lives must not take each other for it.
#[test]
fn who_only_asks_for_a_lock_does_not_hold_it() {
    let is_held = |locked: &[bool]| {
        let dir = tempfile::tempdir().unwrap();
        let answers = locked.iter().flat_map(|locked| [json!({ "locked": locked }), json!({})]);
        let socket = answer(dir.path(), answers.collect());
        Client::connect(&socket, soon()).unwrap().is_held("ovs_vswitchd").unwrap()
    };
    assert!(!is_held(&[true]));
    assert!(!is_held(&[false, false, true]));
    assert!(is_held(&[false; 4]));
}
