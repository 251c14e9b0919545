//! For tests that mount: a copy of the test program in a mount namespace of its own. Needs root.

use std::process::Command;

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
