//! The node's image.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::Image;

const DEVICE_PLUGIN: &str = "/usr/bin/vhostuser-device-plugin";

/// A program of the image, run from the image's own root.
fn run(root: &Path, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new("chroot");
    command.arg(root).arg(program).args(arguments);
    command.env_clear().envs(environment.iter().copied()).env("PATH", "/usr/sbin:/usr/bin");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_owned()).unwrap()
}

/// One test, because the later steps make files in the root that the listing must not find.
#[test]
fn holds_two_binaries_which_do_what_the_daemonset_asks() {
    let image = Image::open("node");
    image.assert_holds_only(&["usr/bin/vhostuser", "usr/bin/vhostuser-device-plugin"]);
    image.assert_runs("0:0", DEVICE_PLUGIN);

    let version = run(&image.root, DEVICE_PLUGIN, &["--version"], &[]);
    let expected = format!("vhostuser-device-plugin {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.status.code(), text(&version.stdout)), (Some(0), expected));

    check(&image);
    install(&image);
    cni_answers(&image);
}

/// The configuration that the manifests ship.
fn check(image: &Image) {
    let config = programs::repository().join("manifests/base/device-plugin.yaml");
    fs::create_dir_all(image.root.join("etc/vhostuser")).unwrap();
    fs::copy(config, image.root.join("etc/vhostuser/device-plugin.yaml")).unwrap();
    let checked = run(&image.root, DEVICE_PLUGIN, &["--check"], &[]);
    assert_eq!((checked.status.code(), text(&checked.stderr)), (Some(0), String::new()));
}

fn install(image: &Image) {
    fs::create_dir_all(image.root.join("host/cni-bin")).unwrap();
    let arguments = ["install-cni", "--to=/host/cni-bin"];
    for said in [
        "installed /usr/bin/vhostuser in /host/cni-bin\n",
        "/usr/bin/vhostuser is in /host/cni-bin already\n",
    ] {
        let installed = run(&image.root, DEVICE_PLUGIN, &arguments, &[]);
        assert_eq!((installed.status.code(), text(&installed.stderr)), (Some(0), said.to_owned()));
    }
    let target = image.root.join("host/cni-bin/vhostuser");
    assert_eq!(fs::read(&target).unwrap(), fs::read(image.root.join("usr/bin/vhostuser")).unwrap());
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o755);
}

/// As the runtime asks, of the program where it was placed.
fn cni_answers(image: &Image) {
    let answer = run(&image.root, "/host/cni-bin/vhostuser", &[], &[("CNI_COMMAND", "VERSION")]);
    assert_eq!((answer.status.code(), text(&answer.stderr)), (Some(0), String::new()));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["cniVersion"], "1.1.0");
    let supported = answer["supportedVersions"].as_array().unwrap();
    assert!(supported.contains(&json!("1.0.0")) && supported.contains(&json!("1.1.0")), "{supported:?}");
}
