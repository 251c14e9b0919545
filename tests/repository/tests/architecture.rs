//! What ARCHITECTURE.md promises of the source tree, held by reading it. The lists are exact: a file that no longer
//! needs its exception is taken off as well.

use std::{collections::BTreeMap, process::Command};

use repository::{Sizes, Source, crates, cycles, function_lengths, is_for_tests, sources};

/// A file should fit in a head.
const FILE_LINES_MAX: usize = 400;

/// A function should fit on a screen.
const FUNCTION_LINES_MAX: usize = 60;

/// Which of our crates each may depend on. Nothing depends on a crate above it.
const LAYERS: [(&str, &[&str]); 8] = [
    ("vocabulary", &[]),
    ("host-io", &[]),
    ("findings", &["host-io"]),
    ("ovs", &["host-io", "vocabulary"]),
    ("node", &["host-io", "vocabulary"]),
    ("cni", &["host-io", "node", "ovs", "vocabulary"]),
    ("device-plugin", &["findings", "host-io", "node", "ovs", "vocabulary"]),
    ("network-vhostuser-binding", &["findings", "host-io", "vocabulary"]),
];

/// The most crates of which the CNI plugin is made: it is started for each call.
const CNI_CRATES_MAX: usize = 30;

/// Sources of the crates that ship, by crate.
fn product() -> BTreeMap<String, Vec<Source>> {
    let shipped = crates().into_iter().filter(|(name, _)| !is_for_tests(name));
    shipped.map(|(name, folder)| (name, sources(&folder))).collect()
}

#[test]
fn no_modules_name_each_other_in_a_circle() {
    for (name, sources) in product() {
        assert_eq!(cycles(&sources), Vec::<Vec<String>>::new(), "{name}");
    }
}

/// The names of the crates that a package is built of.
fn dependencies(package: &str) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(programs::repository())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    let mut names: Vec<_> =
        text.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    names.sort();
    names.dedup();
    names.retain(|name| name != package);
    names
}

#[test]
fn crates_depend_on_those_below_only() {
    let shipped: Vec<_> = product().into_keys().collect();
    for name in &shipped {
        let layer = LAYERS.iter().find(|(known, _)| known == name);
        let (_, allowed) = layer.unwrap_or_else(|| panic!("{name} has no layer"));
        let ours: Vec<_> = dependencies(name).into_iter().filter(|other| shipped.contains(other)).collect();
        assert_eq!(ours, *allowed, "{name}");
    }
}

#[test]
fn the_cni_plugin_is_small() {
    let found = dependencies("cni");
    for heavy in ["tonic", "prost", "clap", "tokio", "quick-xml"] {
        assert!(!found.iter().any(|name| name == heavy), "{heavy}");
    }
    assert!(found.len() <= CNI_CRATES_MAX, "{} crates: {found:?}", found.len());
}

#[test]
fn files_and_functions_are_small() {
    let product = product();
    let all = || product.iter().flat_map(|(name, sources)| sources.iter().map(move |source| (name, source)));
    let mut functions = Vec::new();
    for (name, source) in all() {
        let place = format!("{name}: {}", source.name);
        let lines = source.text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{place} has {lines} lines");
        for (function, length) in function_lengths(source) {
            assert!(length <= FUNCTION_LINES_MAX, "{place}: {function} has {length} lines");
            functions.push(length);
        }
    }
    let files = Sizes::new(all().map(|(_, source)| source.text.lines().count()).collect());
    let functions = Sizes::new(functions);
    assert!(files.percentile(50) < 100, "files: median {}", files.percentile(50));
    assert!(files.percentile(90) < 250, "files: p90 {}", files.percentile(90));
    assert!(functions.percentile(90) < 25, "functions: p90 {}", functions.percentile(90));
}

/// Who makes, renames and removes files. Exact, so that nobody joins them unseen.
#[test]
fn few_files_change_the_file_system() {
    let product = product();
    let with = |words: &[&str]| -> Vec<String> {
        let all = product.iter().flat_map(|(name, sources)| sources.iter().map(move |source| (name, source)));
        let found = all.filter(|(_, source)| words.iter().any(|word| code(source).contains(word)));
        found.map(|(name, source)| format!("{name}/{}", source.name)).collect()
    };
    assert_eq!(with(&["symlinkat (", "symlink ("]), ["network-vhostuser-binding/symlink/mod.rs"]);
    assert_eq!(
        with(&["renameat (", "rename ("]),
        [
            "device-plugin/placing.rs",
            "device-plugin/root.rs",
            "network-vhostuser-binding/symlink/mod.rs",
            "node/atomic_file.rs",
            "node/socketdir/clear.rs",
        ]
    );
}

/// The product's tokens as text: no comments, no tests.
fn code(source: &Source) -> String {
    source.file.items.iter().map(|item| quote::ToTokens::to_token_stream(item).to_string()).collect()
}

#[test]
fn few_modules_know_the_heavy_crates() {
    /// Who may name which crate, and why nobody else.
    const KNOWN: [(&str, &str, &[&str]); 6] = [
        // The wire's types and status codes stay with the servers.
        ("network-vhostuser-binding", "tonic", &["hooks/"]),
        ("device-plugin", "tonic", &["kubelet/"]),
        // Waiting and serving; everything else is plain functions.
        ("network-vhostuser-binding", "tokio", &["hooks/", "resolve.rs", "serve.rs"]),
        // The sidecar's server carries no YAML reader on its path.
        ("network-vhostuser-binding", "serde_saphyr", &["render/manifest.rs"]),
        ("device-plugin", "serde_saphyr", &["config.rs"]),
        ("device-plugin", "prometheus_client", &["metrics.rs", "port_metrics.rs"]),
    ];
    let product = product();
    for (name, word, allowed) in KNOWN {
        let naming = product[name].iter().filter(|source| code(source).contains(&format!("{word} ::")));
        let found: Vec<_> = naming.map(|source| source.name.as_str()).collect();
        let wrong = found.iter().find(|file| !allowed.iter().any(|place| file.starts_with(place)));
        assert_eq!(wrong, None, "{name}: may not name {word}");
        let idle = allowed.iter().find(|place| !found.iter().any(|file| file.starts_with(**place)));
        assert_eq!(idle, None, "{name}: no longer names {word}");
    }
}
