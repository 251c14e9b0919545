//! For tests that mount: a copy of the test program in a mount namespace of its own, and in there other users. Needs
//! root.

use std::{
    fs, io,
    os::unix::{
        net::{UnixListener, UnixStream},
        process::CommandExt,
    },
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

const INSIDE: &str = "TEST_HAS_ITS_OWN_MOUNTS";

/// Runs the test `name` (as `cargo test` lists it) once more, in a mount namespace of its own with an empty `/run`
/// and `/mnt`. True in there; false where the work has been done by then.
pub(super) fn inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let this = std::env::current_exe().unwrap();
    let script =
        "mount -t tmpfs run /run && mount --make-shared /run && mount -t tmpfs mnt /mnt && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
        .arg(this)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("1 passed"), "no test of the name {name}: {stdout}");
    false
}

/// What another user tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Bind a socket.
    Bind,
    /// Bind a socket and listen for a minute.
    Listen,
    /// Connect to a socket.
    Connect,
    /// List a directory.
    List,
    /// Make files until one cannot be made.
    Fill,
    /// Put the directory's name elsewhere.
    Rename,
}

const DEED: &str = "TEST_DOES_AS_ANOTHER_USER";

/// Another user, with a group of the same number and nothing else, does something with a path. Only in a test that is
/// [`inside`].
pub(super) fn as_user(uid: u32, deed: Deed, path: &str) -> Command {
    const COPY: &str = "/mnt/test-program";
    // Where everybody may run it.
    if !fs::exists(COPY).unwrap() {
        fs::copy(std::env::current_exe().unwrap(), COPY).unwrap();
    }
    let mut command = Command::new("sh");
    command.args(["-c", "umask 002; exec \"$@\"", "sh", COPY, "--exact", "own_mounts::a_deed"]);
    command
        .env(DEED, format!("{deed:?} {path}"))
        .uid(uid)
        .gid(uid)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Whether it could.
pub(super) fn can(uid: u32, deed: Deed, path: &str) -> bool {
    as_user(uid, deed, path).status().unwrap().success()
}

/// Not a test of its own: what [`as_user`] starts.
#[test]
fn a_deed() {
    if let Ok(task) = std::env::var(DEED) {
        let (deed, path) = task.split_once(' ').unwrap();
        perform(deed, path).unwrap();
    }
}

fn perform(deed: &str, path: &str) -> io::Result<()> {
    match deed {
        "Bind" => UnixListener::bind(path).map(drop),
        "Listen" => {
            let _listener = UnixListener::bind(path)?;
            sleep(Duration::from_secs(60));
            Ok(())
        }
        "Connect" => UnixStream::connect(path).map(drop),
        "List" => fs::read_dir(path).map(drop),
        "Fill" => (0..1000).try_for_each(|n| fs::write(format!("{path}/f{n}"), "")),
        "Rename" => fs::rename(path, format!("{path}-moved")),
        _ => Err(io::Error::other("no such deed")),
    }
}
