//! `make stats`: how much product code there is, and how long its files and functions are.

use repository::{Sizes, Source, crates, function_lengths, product_lines, sources};

fn main() {
    println!(
        "{:26} {:>6} {:>6} | {:>5} {:>4} {:>4} | {:>5} {:>4} {:>4}",
        "", "files", "lines", "file", "p90", "max", "fn", "p90", "max"
    );
    let mut all = Vec::new();
    for (name, folder) in crates() {
        let found = sources(&folder);
        row(&name, &found);
        if !repository::is_for_tests(&name) {
            all.extend(found);
        }
    }
    row("product", &all);
}

fn row(name: &str, sources: &[Source]) {
    let lines: usize = sources.iter().map(product_lines).sum();
    let files = Sizes::new(sources.iter().map(|source| source.text.lines().count()).collect());
    let functions = Sizes::new(sources.iter().flat_map(function_lengths).map(|(_, length)| length).collect());
    println!(
        "{name:26} {:6} {lines:6} | {:5} {:4} {:4} | {:5} {:4} {:4}",
        sources.len(),
        files.percentile(50),
        files.percentile(90),
        files.longest(),
        functions.percentile(50),
        functions.percentile(90),
        functions.longest()
    );
}
