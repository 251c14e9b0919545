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

/// A source as the compiler reads its texts: a backslash at a line's end takes the next line's indent with it.
fn source(path: &Path) -> String {
    let mut all = String::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        match line.trim_start().strip_suffix('\\') {
            Some(begun) => all.push_str(begun),
            None => {
                all.push_str(line.trim_start());
                all.push('\n');
            }
        }
    }
    all.replace("\\\"", "\u{1}")
}

/// The sources of the programs, without the stand-ins for tests.
fn sources() -> String {
    let mut paths = Vec::new();
    files(&root().join("src"), "rs", &mut paths);
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        if path.join("src").is_dir() && !path.to_str().unwrap().ends_with("-sim") {
            files(&path.join("src"), "rs", &mut paths);
        }
    }
    paths.iter().map(|path| source(path)).collect()
}

/// What every `#[error("…")]` says.
fn errors(sources: &str) -> Vec<String> {
    let begun = sources.split("#[error(").skip(1);
    let texts = begun.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    texts.map(|text| text.replace('\u{1}', "\"")).collect()
}

/// A message that only carries another one has hardly a word of its own.
fn only_carries(error: &str) -> bool {
    let own = error.split('{').flat_map(|part| part.rsplit('}').next());
    own.flat_map(str::split_whitespace).filter(|word| word.len() > 1).count() <= 2
}

/// The messages in the first column of the tables, each as the parts between `…`. What another program says is marked as
/// its own.
fn documented(page: &str) -> Vec<Vec<&str>> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let ours = cells.filter_map(|(text, rest)| {
        let whose = rest.split('|').next().unwrap().trim();
        whose.is_empty().then(|| text.split('…').map(str::trim).filter(|part| !part.is_empty()).collect())
    });
    ours.collect()
}

#[test]
fn troubleshooting_has_the_programs_own_messages_and_all_of_them() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let (sources, documented) = (sources(), documented(&page));
    let plain = sources.replace('\u{1}', "\"");
    let strange: Vec<_> = documented.iter().flatten().filter(|part| !plain.contains(**part)).collect();
    let errors = errors(&sources);
    let is_documented =
        |error: &&String| documented.iter().any(|parts| parts.iter().all(|part| error.contains(part)));
    let missing: Vec<_> =
        errors.iter().filter(|error| !only_carries(error) && !is_documented(error)).collect();
    assert!(errors.len() > 100, "{}", errors.len());
    assert!(
        strange.is_empty() && missing.is_empty(),
        "no program says {strange:#?}; not in the page: {missing:#?}"
    );
}
