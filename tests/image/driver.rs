//! The images as `make image-test` has built and mounted them: `$IMAGES/{sidecar,node}` are their roots,
//! `$IMAGES/{sidecar,node}.json` their configurations.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod node;
mod sidecar;

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// What each kind of image is made of, as a mounted root and its configuration.
struct Image {
    root: PathBuf,
    config: Value,
}

impl Image {
    fn open(name: &str) -> Self {
        let images = PathBuf::from(env::var_os("IMAGES").expect("make image-test sets IMAGES"));
        let root = images.join(name).canonicalize().unwrap();
        let inspected = fs::read(images.join(format!("{name}.json"))).unwrap();
        let inspected: Value = serde_json::from_slice(&inspected).unwrap();
        Self { root, config: inspected["OCIv1"].clone() }
    }

    /// Path and size of everything but directories.
    fn files(&self) -> Vec<(String, u64)> {
        let mut files = Vec::new();
        list(&self.root, &self.root, &mut files);
        files.sort();
        files
    }

    /// Names, rights and owner of all files; the sizes are printed.
    fn assert_holds_only(&self, expected: &[&str]) {
        let files = self.files();
        for (name, size) in &files {
            println!("{size:>9} {name}");
            let metadata = fs::symlink_metadata(self.root.join(name)).unwrap();
            assert!(metadata.is_file(), "{name}");
            assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o755, 0, 0), "{name}");
        }
        assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
    }

    fn assert_runs(&self, user: &str, program: &str) {
        let config = &self.config["config"];
        assert_eq!(config["User"], user);
        assert_eq!(config["Entrypoint"], serde_json::json!([program]));
        assert_eq!(config["Cmd"], Value::Null);
        assert_eq!(config["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!((&self.config["architecture"], &self.config["os"]), (&"amd64".into(), &"linux".into()));
    }
}

fn list(root: &Path, dir: &Path, files: &mut Vec<(String, u64)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        match metadata.is_dir() {
            true => list(root, &path, files),
            false => {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push((name, metadata.len()));
            }
        }
    }
}
