//! `make image push` with each of buildah, podman and docker, to a real registry; and what can be pulled from there.

use std::{fs, os::unix::fs::MetadataExt, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{docker::Docker, pages::path, registry::Registry};

pub const COMMANDS: [&str; 1] = [PUSH];

const PUSH: &str = "make image push";
const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// The expected image.
struct Image {
    name: &'static str,
    description: &'static str,
    user: &'static str,
    entrypoint: &'static str,
    files: &'static [&'static str],
}

const IMAGES: [Image; 2] = [
    Image {
        name: "network-vhostuser-binding",
        description: "KubeVirt network binding plugin: vhost-user NICs for virtual machines",
        user: "107:107",
        entrypoint: "/network-vhostuser-binding",
        files: &["network-vhostuser-binding"],
    },
    Image {
        name: "vhostuser-node",
        description: "vhost-user device plugin and CNI plugin for OVS-DPDK",
        user: "0:0",
        entrypoint: "/usr/bin/vhostuser-device-plugin",
        files: &["usr/bin/vhostuser", "usr/bin/vhostuser-device-plugin"],
    },
];

/// One after the other, because each rebuilds dist/.
#[test]
fn make_image_push_with_buildah_podman_and_docker() {
    let docker = Docker::start();
    for tool in ["buildah", "podman", "docker"] {
        let registry = Registry::start();
        push(tool, &registry, &docker);
        for image in &IMAGES {
            let root = tempfile::tempdir().unwrap();
            let config = registry.pull(image.name, TAG, root.path());
            image.check_configuration(&config, tool);
            image.check_files(root.path(), tool);
        }
    }
}

/// Runs the command as written. Environment variables configure the tools.
fn push(tool: &str, registry: &Registry, docker: &Docker) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // vfs needs neither overlays nor device mapper.
    let storage = format!(
        "[storage]\ndriver = 'vfs'\ngraphroot = '{0}/graph'\nrunroot = '{0}/run'\n",
        dir.path().display()
    );
    fs::write(at("storage.conf"), storage).unwrap();
    // No credentials of the machine, and no plugins.
    fs::create_dir(at("docker")).unwrap();
    fs::write(at("docker/config.json"), "{}").unwrap();
    let mut command = Command::new("timeout");
    command.args(["900", "bash", "-euc"]).arg(PUSH).env("REGISTRY", &registry.address).current_dir(path(""));
    // This test may itself run under make.
    command.env_remove("MAKEFLAGS").env_remove("IMAGE_TAG").env("CONTAINER_TOOL", tool);
    command.env("CONTAINERS_STORAGE_CONF", at("storage.conf"));
    command.env("CONTAINERS_REGISTRIES_CONF", registry.configuration());
    command
        .env("BUILDAH_ISOLATION", "chroot")
        .env("DOCKER_HOST", docker.host())
        .env("DOCKER_CONFIG", at("docker"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Image {
    fn check_configuration(&self, config: &Value, tool: &str) {
        let run = &config["config"];
        assert_eq!(run["User"], self.user, "{tool}");
        assert_eq!(run["Entrypoint"], json!([self.entrypoint]), "{tool}");
        assert_eq!(run["Cmd"], Value::Null, "{tool}");
        let mut labels = run["Labels"].clone();
        // buildah and podman sign their work.
        labels.as_object_mut().unwrap().remove("io.buildah.version");
        assert_eq!(labels, self.labels(), "{tool}");
        assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!("amd64")), "{tool}");
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 1, "{tool}: layers");
    }

    /// The Containerfile's settings, with the version that `make` passed.
    fn labels(&self) -> Value {
        json!({
            "org.opencontainers.image.title": self.name,
            "org.opencontainers.image.description": self.description,
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// The binaries of dist/, owned by root, and nothing else.
    fn check_files(&self, root: &Path, tool: &str) {
        let mut files = Vec::new();
        list(root, root, &mut files);
        files.sort();
        assert_eq!(files, self.files, "{tool}");
        for file in self.files {
            let (pulled, built) = (root.join(file), path("dist").join(file.rsplit('/').next().unwrap()));
            let metadata = fs::metadata(&pulled).unwrap();
            assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o755, 0, 0), "{tool}");
            assert!(fs::read(pulled).unwrap() == fs::read(built).unwrap(), "{tool}: {file}");
        }
    }
}

fn list(root: &Path, dir: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}
