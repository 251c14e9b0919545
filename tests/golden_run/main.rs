//! Golden folders: for each folder of `tests/golden`, what the sidecar makes of its inputs, byte for byte.
//!
//! ```text
//! vmi.json, domain.xml     what virt-launcher sends
//! network-info.json, dra/  what the sidecar finds in its pod (optional)
//! flags                    of the sidecar, one per line (optional)
//! expected.xml             the answer, or
//! expected.error           the gRPC code's name on the first line, then the message's exact text
//! expected.links           the links created, `<path in the hook directory> -> <target>` (optional)
//! expected.warnings        what `render` prints on standard error (without the file: nothing)
//! ```
//!
//! Each folder is one test, named after it: `cargo test --test golden NAME`. Both `render` and the hook server over its
//! socket must answer as expected. The server is also given its own answer, and KubeVirt's reduced copy of it.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` rewrites the expected files. Read the difference before you keep it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod case;
mod hook;

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};

use case::Case;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = root.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let test = |folder: std::path::PathBuf| {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        Trial::test(name, move || run(&folder))
    };
    libtest_mimic::run(&Arguments::from_args(), folders.map(test).collect()).exit();
}

fn run(folder: &Path) -> Result<(), Failed> {
    let case = Case::load(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match std::env::var_os("UPDATE_GOLDEN") {
            Some(_) => case.update().await,
            None => case.check().await,
        }
    })?;
    Ok(())
}
