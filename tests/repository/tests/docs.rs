//! The documentation is true where a machine can tell: links lead somewhere, and quoted messages are the programs' own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    programs::repository()
}

/// Files below a folder with this extension.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    files(&root().join("docs"), "md", &mut pages);
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// A heading's anchor, as code hosts make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !place.is_empty() {
                let target = fs::read_to_string(&target).unwrap();
                let mut headings = target.lines().filter_map(|line| line.strip_prefix('#'));
                let found = headings.any(|heading| anchor(heading.trim_start_matches('#')) == place);
                assert!(found, "{}: {link}", page.display());
            }
        }
    }
}

/// The sources as the compiler reads their texts: a backslash at a line's end takes the next line's indent with it.
fn sources() -> String {
    let mut paths = Vec::new();
    files(&root().join("src"), "rs", &mut paths);
    let mut all = String::new();
    for path in paths {
        for line in fs::read_to_string(path).unwrap().lines() {
            match line.trim_start().strip_suffix('\\') {
                Some(begun) => all.push_str(begun),
                None => {
                    all.push_str(line.trim_start());
                    all.push('\n');
                }
            }
        }
    }
    all.replace("\\\"", "\"")
}

/// In headings `…` stands for a value. What an outside program says (QEMU, OVS, the kubelet) is marked as its own.
#[test]
fn troubleshooting_is_keyed_by_the_programs_own_texts() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let sources = sources();
    let mut checked = 0;
    for heading in page.lines().filter_map(|line| line.strip_prefix("### `")) {
        let (text, whose) = heading.rsplit_once('`').unwrap();
        if !whose.is_empty() {
            assert!(whose.starts_with(" (") && whose.ends_with(')'), "{heading}");
            continue;
        }
        for part in text.split('…').map(str::trim).filter(|part| !part.is_empty()) {
            assert!(sources.contains(part), "no program says {part:?}");
        }
        checked += 1;
    }
    assert!(checked >= 20, "{checked}");
}
