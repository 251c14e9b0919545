//! Discovery and the client, over real sockets.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::DOMAIN;
use crate::stub::{Seen, Stub};
use launcher_sim::{
    Client, Collect, CollectError, Layout, Machine, Pace, Release, boot_over, migration_target_over,
};

fn collect(dir: &Path, layout: Layout, sidecars: usize) -> Collect {
    let pace = Pace::TickBetween(Duration::from_millis(10));
    Collect { dir: dir.to_owned(), layout, pace, sidecars, timeout: Duration::from_secs(1) }
}

fn seen(method: &str, timeout: &str) -> Seen {
    Seen {
        path: format!("/kubevirt.hooks.{method}"),
        authority: "localhost".to_owned(),
        timeout: timeout.to_owned(),
    }
}

/// A hook directory with one sub-directory per name.
fn hook_dir(sidecars: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for sidecar in sidecars {
        fs::create_dir(dir.path().join(sidecar)).expect("a fresh name");
    }
    dir
}

#[tokio::test]
async fn both_layouts_find_a_sidecar_and_pick_the_newest_version() {
    let stub = Stub::new(&["v1alpha1", "v1alpha3"]);
    for (layout, socket) in [(Layout::Flat, "a.sock"), (Layout::PerSidecar, "hook-sidecar-0/a.sock")] {
        let dir = hook_dir(if layout == Layout::Flat { &[] } else { &["hook-sidecar-0"] });
        let socket = dir.path().join(socket);
        let server = stub.serve(&socket);
        let found = collect(dir.path(), layout, 1).collect().await.expect("one sidecar");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].socket, found[0].version, found[0].info.name.as_str()),
            (&socket, "v1alpha3", "stub")
        );
        server.abort();
    }
    // tonic writes a deadline in the largest unit that fits: one second is a million microseconds.
    let timeouts = stub.seen.lock().expect("unpoisoned").clone();
    assert_eq!(timeouts, [seen("info.Info/Info", "1000000u"), seen("info.Info/Info", "1000000u")]);
}

#[tokio::test]
async fn below_a_sub_directory_links_count_and_nested_directories_do_not() {
    let dir = hook_dir(&["hook-sidecar-0", "hook-sidecar-0/userdata", "hook-sidecar-1"]);
    let stub = Stub::new(&["v1alpha3"]);
    let real = dir.path().join("hook-sidecar-0/userdata/ignored.sock");
    let _server = stub.serve(&real);
    symlink(&real, dir.path().join("hook-sidecar-1/link.sock")).expect("a fresh name");
    symlink(dir.path().join("hook-sidecar-0/userdata"), dir.path().join("top")).expect("a fresh name");
    let found = collect(dir.path(), Layout::PerSidecar, 1).collect().await.expect("one sidecar");
    let sockets: Vec<_> = found.into_iter().map(|found| found.socket).collect();
    assert_eq!(sockets, [dir.path().join("hook-sidecar-1/link.sock")]);
}

#[tokio::test]
async fn two_sidecars_with_one_file_name_count_once() {
    let dir = hook_dir(&["hook-sidecar-0", "hook-sidecar-1"]);
    let stub = Stub::new(&["v1alpha3"]);
    let first = dir.path().join("hook-sidecar-0/same.sock");
    let _servers = [stub.serve(&first), stub.serve(&dir.path().join("hook-sidecar-1/same.sock"))];
    let error =
        collect(dir.path(), Layout::PerSidecar, 2).collect().await.expect_err("the second never counts");
    let CollectError::Timeout { found, expected: 2 } = error else { panic!("{error}") };
    assert_eq!(found.into_iter().map(|found| found.socket).collect::<Vec<_>>(), [first]);
}

#[tokio::test]
async fn a_socket_that_stays_silent_is_not_ready_and_costs_the_dial_budget() {
    let dir = hook_dir(&[]);
    let _silent = UnixListener::bind(dir.path().join("silent.sock")).expect("a fresh name");
    let started = Instant::now();
    let error = collect(dir.path(), Layout::Flat, 1).collect().await.expect_err("nobody speaks");
    assert!(matches!(&error, CollectError::Timeout { found, expected: 1 } if found.is_empty()), "{error}");
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_error_of_info_is_fatal() {
    let dir = hook_dir(&[]);
    let socket = dir.path().join("a.sock");
    let mut stub = Stub::new(&[]);
    stub.info = Err(Status::internal("broken"));
    let _server = stub.serve(&socket);
    let error = collect(dir.path(), Layout::Flat, 1).collect().await.expect_err("Info fails");
    let CollectError::Info { socket: failed, status } = error else { panic!("{error}") };
    assert_eq!((failed, status.code(), status.message()), (socket, Code::Internal, "broken"));
}

#[tokio::test]
async fn a_sidecar_without_a_known_version_is_fatal() {
    let dir = hook_dir(&[]);
    let socket = dir.path().join("a.sock");
    let _server = Stub::new(&["v1", "V1ALPHA3"]).serve(&socket);
    let error = collect(dir.path(), Layout::Flat, 1).collect().await.expect_err("no version fits");
    let CollectError::Versions { socket: failed, versions } = error else { panic!("{error}") };
    assert_eq!((failed, versions), (socket, vec!["v1".to_owned(), "V1ALPHA3".to_owned()]));
}

#[tokio::test]
async fn sidecars_are_chained_through_every_call_of_a_boot() {
    let dir = hook_dir(&[]);
    let (one, two) = (dir.path().join("1.sock"), dir.path().join("2.sock"));
    let mut first = Stub::new(&["v1alpha3"]);
    first.define = |xml| Ok([xml, b"<!--1-->".to_vec()].concat());
    let mut second = Stub::new(&["v1alpha3"]);
    second.define = |xml| Ok([xml, b"<!--2-->".to_vec()].concat());
    let _servers = [first.serve(&one), second.serve(&two)];
    let sidecars = [Client::new(one), Client::new(two)];

    let calls =
        boot_over(Machine::new(Release::Main, 2), DOMAIN, &sidecars, b"{}").await.expect("both answer");
    assert_eq!(calls.len(), 3);
    for call in calls {
        assert_eq!(call.answer, format!("{}<!--1--><!--2-->", call.given));
    }
    migration_target_over(DOMAIN, &sidecars, b"{}").await.expect("both answer");
    sidecars[1].shutdown().await.expect("the stub knows Shutdown");
    let calls = second.seen.lock().expect("unpoisoned").clone();
    let define = seen("v1alpha3.Callbacks/OnDefineDomain", "60000000u");
    let shutdown = seen("v1alpha3.Callbacks/Shutdown", "60000000u");
    assert_eq!(calls, [define.clone(), define.clone(), define.clone(), define, shutdown]);
}

#[tokio::test]
async fn an_answer_beyond_grpc_gos_limit_is_refused() {
    let dir = hook_dir(&[]);
    let socket = dir.path().join("a.sock");
    let mut stub = Stub::new(&["v1alpha3"]);
    stub.define = |_| Ok(vec![b' '; 4 * 1024 * 1024 + 1]);
    let _server = stub.serve(&socket);
    let status = Client::new(&socket).on_define_domain("<domain/>", "{}").await.expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_dial_that_fails_is_unavailable() {
    let dir = hook_dir(&[]);
    let socket = dir.path().join("absent.sock");
    let status = Client::new(&socket).info().await.expect_err("nobody is there");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("No such file or directory"), "{}", status.message());
}
