//! What `make dist` has made, and what a release must not have.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command};

use serde_json::Value;

const BINARIES: [&str; 3] = ["network-vhostuser-binding", "vhostuser-device-plugin", "vhostuser"];
const VERSION: &str = env!("CARGO_PKG_VERSION");
const SBOM: &str = "sbom.cdx.json";

fn repository() -> PathBuf {
    programs::repository()
}

fn dist() -> PathBuf {
    repository().join("dist")
}

fn sbom() -> Value {
    serde_json::from_slice(&fs::read(dist().join(SBOM)).unwrap()).unwrap()
}

/// Name and version of each component.
fn components() -> BTreeSet<(String, String)> {
    let sbom = sbom();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let components = sbom["components"].as_array().unwrap();
    components.iter().map(|component| (text(&component["name"]), text(&component["version"]))).collect()
}

/// Name and version of each package in the lock file.
fn locked() -> BTreeSet<(String, String)> {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let quoted = |line: &str| line.split('"').nth(1).unwrap().to_owned();
    let packages = lock.split("[[package]]\n").skip(1).map(|package| {
        let mut lines = package.lines();
        (quoted(lines.next().unwrap()), quoted(lines.next().unwrap()))
    });
    packages.collect()
}

/// The crates below a heading of Cargo.toml.
fn declared(heading: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let section = manifest.split_once(&format!("\n[{heading}]\n")).unwrap().1;
    let section = section.split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    names.map(|name| name.trim_end_matches(".workspace").to_owned()).collect()
}

#[test]
fn the_checksums_are_those_of_the_binaries_and_the_sbom() {
    let sums = fs::read_to_string(dist().join("SHA256SUMS")).unwrap();
    let names: Vec<_> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(names, [&BINARIES[..], &[SBOM]].concat());
    let checked =
        Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(dist()).output().unwrap();
    let expected: String = names.iter().map(|name| format!("{name}: OK\n")).collect();
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), expected);
}

#[test]
fn the_binaries_say_the_version_that_the_sbom_is_of() {
    let product = &sbom()["metadata"]["component"];
    assert_eq!((&product["name"], &product["version"]), (&BINARIES[0].into(), &VERSION.into()));
    for binary in &BINARIES[..2] {
        let said = Command::new(dist().join(binary)).arg("--version").output().unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), format!("{binary} {VERSION}\n"));
    }
}

#[test]
fn the_sbom_names_crates_of_the_lock_file_and_none_that_only_tests_use() {
    let components = components();
    let unlocked: Vec<_> = components.difference(&locked()).cloned().collect();
    assert_eq!(unlocked, []);
    let names: BTreeSet<String> = components.into_iter().map(|(name, _)| name).collect();
    let dependencies = declared("dependencies");
    assert_eq!(dependencies.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new());
    let of_tests = &declared("dev-dependencies") - &dependencies;
    // prost's code generator, which builds the binaries, uses this one as well.
    assert_eq!(of_tests.intersection(&names).collect::<Vec<_>>(), ["tempfile"]);
}

#[test]
fn nothing_names_a_directory_of_the_machine_that_built_it() {
    let home = PathBuf::from(env::var_os("HOME").unwrap());
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    for file in BINARIES.iter().chain(&[SBOM]) {
        let bytes = fs::read(dist().join(file)).unwrap();
        for directory in [repository(), cargo.clone()] {
            let directory = directory.to_str().unwrap().as_bytes();
            let found = bytes.windows(directory.len()).any(|bytes| bytes == directory);
            assert!(!found, "{file}: {}", String::from_utf8_lossy(directory));
        }
    }
}
