//! `render`, on the demo's files.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use crate::pages::{block, path};

pub const COMMANDS: [&str; 1] = [RENDER];

const RENDER: &str = "network-vhostuser-binding render --vmi vmi.yaml --domain domain.xml --network-info network-info.json --diff";

#[test]
fn it_shows_what_will_become_of_the_domain() {
    let dir = tempfile::tempdir().unwrap();
    // JSON is YAML.
    for (file, name) in
        [("vmi.json", "vmi.yaml"), ("domain.xml", "domain.xml"), ("network-info.json", "network-info.json")]
    {
        fs::copy(path("examples/demo").join(file), dir.path().join(name)).unwrap();
    }
    let output = render(dir.path());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    let diff = String::from_utf8(output.stdout).unwrap();
    let added =
        diff.lines().filter(|line| line.starts_with('+') && line.contains(r#"<interface type="vhostuser">"#));
    assert_eq!(added.count(), 2, "{diff}");
}

fn render(dir: &Path) -> Output {
    let program = programs::sidecar();
    let binaries = program.parent().unwrap();
    let inherited = env::var("PATH").unwrap();
    let mut bash = Command::new("bash");
    bash.arg("-euc").arg(RENDER).current_dir(dir).env_clear();
    bash.env("PATH", format!("{}:{inherited}", binaries.display())).output().unwrap()
}

/// The VM of the quick start, as its `sed` makes it.
#[test]
fn the_vm_of_the_quick_start_gets_its_nic() {
    let dir = tempfile::tempdir().unwrap();
    let vm = block("docs/quickstart.md", "yaml\n", "name: quick-NUMBER").replace("NUMBER", "1");
    fs::write(dir.path().join("vmi.yaml"), vm).unwrap();
    for name in ["domain.xml", "network-info.json"] {
        fs::copy(path("examples/demo").join(name), dir.path().join(name)).unwrap();
    }
    let output = render(dir.path());
    let diff = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(diff.matches(r#"<interface type="vhostuser">"#).count(), 1, "{diff}");
    assert!(diff.contains("02:00:00:00:30:01"), "{diff}");
}
