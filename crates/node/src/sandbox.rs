//! Whether a pod's sandbox is certainly gone.

use std::path::{Path, PathBuf};

/// The two names of the directory where runtimes keep network namespaces: a container may have it under one only.
const RUN: [&str; 2] = ["/run", "/var/run"];

/// Whether a network namespace's file, as the runtime named it, is gone. Certain only where its directory can be seen:
/// what cannot be seen from here, such as another process's `/proc`, counts as alive.
pub fn is_gone(netns: &Path) -> bool {
    let mut seen = false;
    for path in names(netns) {
        if path.symlink_metadata().map_or_else(|error| error.kind() != std::io::ErrorKind::NotFound, |_| true)
        {
            return false;
        }
        seen |= path.parent().is_some_and(Path::is_dir);
    }
    seen
}

fn names(netns: &Path) -> Vec<PathBuf> {
    let below = RUN.iter().find_map(|run| netns.strip_prefix(run).ok());
    match below {
        Some(below) => RUN.iter().map(|run| Path::new(run).join(below)).collect(),
        None if netns.is_absolute() && !netns.starts_with("/proc") => vec![netns.to_owned()],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_counts_as_alive() {
        let dir = tempfile::tempdir().unwrap();
        let alive = dir.path().join("alive");
        std::fs::write(&alive, "").unwrap();
        assert!(!is_gone(&alive));
        assert!(is_gone(&dir.path().join("gone")));
        for unseen in ["", "relative", "/nonexistent/cni-1", "/proc/0/ns/net", "/proc/self/ns/none"] {
            assert!(!is_gone(Path::new(unseen)), "{unseen}");
        }
    }

    #[test]
    fn both_names_of_the_run_directory_are_one() {
        let both = ["/run/netns/cni-1", "/var/run/netns/cni-1"].map(PathBuf::from);
        for name in &both {
            assert_eq!(names(name), both);
        }
    }
}
