//! Golden folders: for each folder of `tests/golden`, what the sidecar makes of its inputs, byte for byte.
//!
//! ```text
//! vmi.json, domain.xml     what virt-launcher sends
//! network-info.json, dra/  what the sidecar finds in its pod (optional)
//! flags                    of the sidecar, one a line (optional)
//! expected.xml             the answer, or
//! expected.error           the gRPC code's name on the first line, the message's exact text behind it
//! expected.links           the links made, `<path in the hook directory> -> <target>` (optional)
//! expected.warnings        what `render` says on standard error (without the file: nothing)
//! ```
//!
//! Each folder is asked of `render` and of the hook server over its socket, and both must agree. The server is also
//! given its own answer, and KubeVirt's reduced copy of it.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes the expected files anew. Read the difference before you keep it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod case;
mod hook;

use std::path::{Path, PathBuf};

use case::Case;

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut folders: Vec<_> = root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

#[tokio::test]
async fn every_folder_gives_what_it_expects() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let folders = folders();
    let mut complaints = Vec::new();
    for folder in &folders {
        let result = match Case::load(folder) {
            Ok(case) if update => case.update().await,
            Ok(case) => case.check().await,
            Err(complaint) => Err(complaint),
        };
        if let Err(complaint) = result {
            let name = folder.file_name().unwrap().display();
            complaints.push(format!("{name}: {complaint}"));
        }
    }
    assert!(
        complaints.is_empty(),
        "{} of {} golden folders:\n\n{}",
        complaints.len(),
        folders.len(),
        complaints.join("\n\n")
    );
}
