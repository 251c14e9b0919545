//! Where logs are kept, and what of them a failed test prints.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The machine's log folder as the driver sees it. One folder per test in it, and the switch's logs beside them.
pub const LOGS: &str = "/opt/logs";

const LINES: usize = 25;

/// The log folder of one test.
pub fn of_test(test: &str) -> PathBuf {
    Path::new(LOGS).join(test)
}

/// Prints the ends of all logs of a test, and what was written to the `shared` ones since then.
pub fn explain(test_dir: &Path, shared: &[(PathBuf, u64)]) {
    for log in files_in(test_dir) {
        print_tail(&log, 0);
    }
    for (log, start) in shared {
        print_tail(&log.with_extension("stderr"), 0);
        print_tail(log, *start);
    }
}

pub fn length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

pub fn since(log: &Path, start: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(log) {
        let _ = file.seek(SeekFrom::Start(start));
        let _ = file.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn print_tail(log: &Path, start: u64) {
    let text = since(log, start);
    let lines: Vec<&str> = text.lines().filter(|line| !is_noise(line)).collect();
    if lines.is_empty() {
        return;
    }
    println!("  --- {}, last lines", log.display());
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        let end = line.char_indices().nth(400).map_or(line.len(), |(at, _)| at);
        println!("  | {}", &line[..end]);
    }
}

/// QEMU's arguments, and each message of the vhost-user protocol: there are hundreds, and they explain little.
fn is_noise(line: &str) -> bool {
    line.starts_with('-') || line.contains("|INFO|VHOST_CONFIG") || line.contains("opened log file")
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
