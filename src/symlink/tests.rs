use std::{fs, os::unix::fs::symlink, path::Path};

use super::*;

fn link(target: &str) -> StableLink {
    StableLink { name: "pod6c270ef2f25".to_owned(), target: ComputePath::directory(target).unwrap() }
}

fn dir(root: &Path) -> LinkDir {
    LinkDir::new(root.to_owned(), &["hook-sidecar-0", "userdata"])
}

fn entries(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn makes_keeps_and_replaces() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("hook-sidecar-0/userdata/pod6c270ef2f25");
    assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap(), Outcome::Created);
    assert_eq!(fs::read_link(&path).unwrap(), Path::new("/run/a"));
    assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap(), Outcome::Kept);
    assert_eq!(ensure(&dir(root.path()), &link("/run/b")).unwrap(), Outcome::Replaced);
    assert_eq!(fs::read_link(&path).unwrap(), Path::new("/run/b"));
    assert_eq!(entries(path.parent().unwrap()), ["pod6c270ef2f25"]);
    assert_eq!(entries(root.path()), ["hook-sidecar-0"]);
}

#[test]
fn leaves_what_is_not_a_link() {
    let root = tempfile::tempdir().unwrap();
    let userdata = root.path().join("hook-sidecar-0/userdata");
    let path = userdata.join("pod6c270ef2f25");
    fs::create_dir_all(&path).unwrap();
    let expected = format!(
        "link {}: the name is taken by something that is not a link of this sidecar: remove it from the pod's hook volume",
        path.display()
    );
    assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap_err().to_string(), expected);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "kept").unwrap();
    assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap_err().to_string(), expected);
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    assert_eq!(entries(&userdata), ["pod6c270ef2f25"]);
}

#[test]
fn does_not_follow_a_link_in_place_of_its_directory() {
    let root = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), root.path().join("hook-sidecar-0")).unwrap();
    assert_eq!(
        ensure(&dir(root.path()), &link("/run/a")).unwrap_err().to_string(),
        format!(
            "link {}/hook-sidecar-0: the name is taken by something that is not a link of this sidecar: remove it \
             from the pod's hook volume",
            root.path().display()
        )
    );
    assert!(entries(elsewhere.path()).is_empty());
}

#[test]
fn tells_a_missing_hook_directory() {
    let root = tempfile::tempdir().unwrap();
    let gone = root.path().join("gone");
    assert_eq!(
        ensure(&dir(&gone), &link("/run/a")).unwrap_err().to_string(),
        format!("link {}: No such file or directory (os error 2)", gone.display())
    );
}
