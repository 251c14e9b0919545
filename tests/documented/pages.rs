//! The commands that the documentation shows.

use std::{collections::BTreeSet, fs, path::PathBuf};

/// A path of the repository.
pub fn path(name: &str) -> PathBuf {
    programs::repository().join(name)
}

fn markdown(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|page| page.extension().is_some_and(|extension| extension == "md")).collect()
}

fn pages() -> Vec<String> {
    let pages = [markdown(""), markdown("docs")].concat();
    pages.iter().map(|page| fs::read_to_string(page).unwrap()).collect()
}

/// The lines of all `sh` blocks, without their comments.
pub fn commands() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for page in pages() {
        let mut is_shell = false;
        for line in page.lines().map(str::trim) {
            if let Some(language) = line.strip_prefix("```") {
                // A command may not hide in a block of another kind. `console` blocks need a real cluster.
                let known = ["", "console", "json", "mermaid", "sh", "text", "yaml"];
                assert!(known.contains(&language), "{language}");
                is_shell = language == "sh";
            } else if is_shell {
                let command = line.split("  #").next().unwrap().trim();
                assert!(!command.ends_with('\\'), "one line for each command: {command}");
                found.insert(command.to_owned());
            }
        }
    }
    found
}

/// The code spans of the text that start with `start`.
pub fn spans(start: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for page in pages() {
        let text = page.split("```").step_by(2).collect::<String>();
        let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with(start));
        found.extend(spans.map(str::to_owned));
    }
    found
}

/// The first block of this language that contains `part`.
pub fn block(page: &str, language: &str, part: &str) -> String {
    let text = fs::read_to_string(path(page)).unwrap();
    let mut blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(language));
    blocks.find(|block| block.contains(part)).unwrap().to_owned()
}
