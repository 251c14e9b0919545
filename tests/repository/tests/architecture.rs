//! What ARCHITECTURE.md promises of the source tree, held by looking at it. The lists are exact: a file that no
//! longer needs its exception is taken off as well.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A file should fit in a head.
const LINES_MAX: usize = 400;

/// Who may name which crate or module, and why nobody else. A directory stands for its files.
const CRATES: [(&str, &[&str]); 12] = [
    // The tokenizer's ways end where byte ranges begin.
    ("quick_xml", &["domain/xml.rs"]),
    // The wire's types and status codes stay with the servers.
    ("tonic", &["deviceplugin/kubelet/", "hooks/"]),
    ("prost", &[]),
    // The command line's shape is nobody else's business.
    ("clap", &["bin/vhostuser-device-plugin.rs", "cli/", "deviceplugin/command.rs", "main.rs"]),
    // An error that somebody could act on has a type.
    ("anyhow", &["commands/serve.rs", "deviceplugin/command.rs"]),
    // Waiting and serving; everything else is plain functions.
    ("tokio", &["commands/serve.rs", "deviceplugin/", "hooks/", "resolve.rs"]),
    // For people; the sidecar's server carries no YAML reader on its path.
    ("serde_saphyr", &["commands/manifest.rs", "deviceplugin/config.rs"]),
    ("similar", &["commands/render.rs"]),
    ("hyper", &["deviceplugin/http.rs"]),
    ("prometheus_client", &["deviceplugin/metrics.rs", "deviceplugin/port_metrics.rs"]),
    // Who reads or changes the file system.
    (
        "fs",
        &[
            "atomic_file.rs",
            "cni/files.rs",
            "commands/render.rs",
            "deviceplugin/command.rs",
            "deviceplugin/info_files.rs",
            "deviceplugin/install.rs",
            "deviceplugin/kubelet/",
            "deviceplugin/mounts.rs",
            "deviceplugin/placing.rs",
            "deviceplugin/root.rs",
            "deviceplugin/tasks.rs",
            "deviceplugin/watch.rs",
            "doctor/look.rs",
            "dra/mod.rs",
            "hooks/life.rs",
            "hooks/socket.rs",
            "socketdir/",
            "source_file.rs",
            "symlink/mod.rs",
        ],
    ),
    // Only command lines have the environment, through `clap`; a CNI plugin has no other.
    ("env", &["bin/vhostuser.rs"]),
];

/// Modules at the bottom, and the modules of this crate that each may name.
const LEAVES: [(&str, &[&str]); 10] = [
    ("vhostuser", &["vhostuser"]),
    ("vmi", &["vhostuser"]),
    ("domain", &["domain", "vhostuser"]),
    ("symlink", &["random", "vhostuser"]),
    ("socketdir", &["atomic_file", "random", "vhostuser"]),
    ("ovsdb", &["ovsdb", "source_file", "vhostuser"]),
    ("fields.rs", &["vhostuser"]),
    ("deviceinfo.rs", &["attachment", "vhostuser"]),
    ("attachment.rs", &["downwardapi", "dra", "vhostuser"]),
    ("config.rs", &["symlink", "vhostuser"]),
];

/// Path below `src` and code, without comments and unit tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    list(&root, &mut files);
    files
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| !is_test(name))
        .map(|(name, path)| (name, code(&fs::read_to_string(path).unwrap())))
        .collect()
}

/// Unit tests that have files of their own.
fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/") || TEST_TOOLS.contains(&name)
}

/// What unit tests share.
const TEST_TOOLS: [&str; 2] = ["deviceplugin/own_mounts.rs", "ovsdb/stub.rs"];

fn list(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => list(&path, files),
            false => files.push(path),
        }
    }
    files.sort();
}

fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    product
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Whether the code has this word as a path segment: `word::`, `::word`, or a word in a list of imports.
fn names(code: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let whole = !before.ends_with(is_name) && !after.starts_with(is_name);
        let imported = before.ends_with(['{', ' ']) && after.starts_with([',', ';', '}']);
        whole && (after.starts_with("::") || before.ends_with("::") || imported)
    })
}

#[test]
fn crates_stay_where_they_belong() {
    for (word, allowed) in CRATES {
        let found: Vec<_> =
            sources().into_iter().filter(|(_, code)| names(code, word)).map(|(name, _)| name).collect();
        let wrong = found.iter().find(|name| !allowed.iter().any(|place| name.starts_with(place)));
        assert_eq!(wrong, None, "may not name {word}");
        let idle = allowed.iter().find(|place| !found.iter().any(|name| name.starts_with(**place)));
        assert_eq!(idle, None, "no longer names {word}");
    }
}

#[test]
fn arrows_go_one_way() {
    let modules: BTreeSet<String> = sources()
        .iter()
        .filter_map(|(name, _)| name.split('/').next())
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| !["lib", "main"].contains(&name.as_str()))
        .collect();
    for (module, allowed) in LEAVES {
        for (name, code) in sources().iter().filter(|(name, _)| name.starts_with(module)) {
            let code = code.replace("crate::{", "crate::{ ");
            let used = modules.iter().filter(|other| uses(&code, other));
            let wrong: Vec<_> = used.filter(|other| !allowed.contains(&other.as_str())).collect();
            assert!(wrong.is_empty(), "{name} names {wrong:?}");
        }
    }
}

/// Whether the code imports or names this module of the crate.
fn uses(code: &str, module: &str) -> bool {
    let grouped = code.split("use crate::{").skip(1).map(|rest| rest.split(";\n").next().unwrap());
    code.contains(&format!("crate::{module}::"))
        || grouped
            .flat_map(|group| group.split([',', ' ', '\n']))
            .any(|part| part == module || part.starts_with(&format!("{module}::")))
}

/// Who makes, renames and removes what. Exact, so that nobody joins them unseen.
#[test]
fn few_files_change_the_file_system() {
    let with = |words: &[&str]| -> Vec<String> {
        let has = |code: &str| words.iter().any(|word| code.contains(word));
        sources().into_iter().filter(|(_, code)| has(code)).map(|(name, _)| name).collect()
    };
    assert_eq!(with(&["symlinkat(", "symlink("]), ["symlink/mod.rs"]);
    assert_eq!(
        with(&["renameat(", "rename("]),
        [
            "atomic_file.rs",
            "deviceplugin/placing.rs",
            "deviceplugin/root.rs",
            "socketdir/clear.rs",
            "symlink/mod.rs"
        ]
    );
    assert_eq!(
        with(&["remove_file(", "unlinkat(", "remove_dir("]),
        [
            "atomic_file.rs",
            "cni/files.rs",
            "deviceplugin/info_files.rs",
            "deviceplugin/install.rs",
            "deviceplugin/kubelet/socket.rs",
            "deviceplugin/root.rs",
            "hooks/socket.rs",
            "socketdir/clear.rs",
            "socketdir/mod.rs",
            "symlink/mod.rs"
        ]
    );
    assert_eq!(
        with(&["create_dir", "mkdirat(", "File::create", "fs::write"]),
        ["cni/files.rs", "deviceplugin/info_files.rs", "deviceplugin/root.rs", "symlink/mod.rs"]
    );
}

#[test]
fn files_are_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    list(&root, &mut files);
    for path in files {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}

#[test]
fn words_are_found_where_they_are_names() {
    for code in [
        "use std::fs;",
        "std::fs::read(x)",
        "use std::{\n    fs, io,\n};",
        "use std::{fs, io};",
        "a::{io, fs}",
    ] {
        assert!(names(code, "fs"), "{code}");
    }
    for code in ["let fs = 1;", "use nfs::x;", "fs(x)", "offs::x"] {
        assert!(!names(code, "fs"), "{code}");
    }
    assert_eq!(code("a\n  // fs::x\n#[cfg(test)]\nmod tests { fs::x }"), "a\n");
}
