//! The version stands in Cargo.toml. What cannot read it from there is held to it here.

use std::{collections::BTreeSet, process::Command};

use crate::{
    files::{pages, yaml_files},
    yaml::{documents, items, path, string, text},
};

const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// The names of the images that `make image` builds, in a registry.
fn built(registry: &str) -> BTreeSet<String> {
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "-s", "image-names"]).arg(format!("REGISTRY={registry}"));
    // What this test runs under may be a make of its own.
    let made = make.env_remove("MAKEFLAGS").env_remove("IMAGE_TAG").current_dir(path("")).output().unwrap();
    assert!(made.status.success());
    let lines = String::from_utf8(made.stdout).unwrap();
    lines.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

#[test]
fn images_are_tagged_with_the_version() {
    let expected =
        ["network-vhostuser-binding", "vhostuser-node"].map(|name| format!("r.example/{name}:{TAG}"));
    assert_eq!(built("r.example"), BTreeSet::from(expected));
}

#[test]
fn kustomizations_name_the_image_that_is_built() {
    let base = documents("manifests/base/kustomization.yaml").remove(0);
    let [image] = items(&base["images"]) else { panic!("one image: {}", base["images"]) };
    let name = format!("r.example/{}:{}", string(&image["name"]), string(&image["newTag"]));
    assert!(built("r.example").contains(&name), "{name}");
    assert_eq!(base["labels"][1]["pairs"]["app.kubernetes.io/version"], TAG);
}

/// In comments and documents too: people copy from there. Documents name no registry.
#[test]
fn wherever_an_image_has_a_tag_it_is_this_one() {
    let mut found = 0;
    for file in yaml_files("manifests").into_iter().chain(yaml_files("examples")).chain(pages()) {
        let text = text(&file);
        for name in ["network-vhostuser-binding:", "vhostuser-node:"] {
            for (at, _) in text.match_indices(name) {
                let rest = &text[at + name.len()..];
                if !rest.starts_with('v') {
                    continue;
                }
                let end = rest.find(|c: char| c.is_whitespace() || "`'\"".contains(c)).unwrap_or(rest.len());
                assert_eq!(&rest[..end], TAG, "{file}");
                let registry = text[..at].rsplit([' ', '\n', '=', '`', '"']).next().unwrap();
                let allowed = if file.ends_with(".md") { "$REGISTRY/" } else { "registry.example/" };
                assert!([allowed, "<registry>/"].contains(&registry), "{file}: {registry}");
                found += 1;
            }
        }
    }
    assert!(found >= 3, "{found}");
}
