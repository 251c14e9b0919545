//! Debian's `docker-registry` on the loopback interface, and a client for it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// Both kinds of manifest; docker pushes its own.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

pub struct Registry {
    process: Child,
    pub address: String,
    dir: tempfile::TempDir,
}

impl Registry {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yml");
        let storage = dir.path().join("storage");
        let yaml = format!(
            "{{version: 0.1, log: {{accesslog: {{disabled: true}}}}, http: {{addr: '127.0.0.1:0'}}, \
              storage: {{filesystem: {{rootdirectory: {}}}}}}}\n",
            storage.display()
        );
        fs::write(&config, yaml).unwrap();
        let mut command = Command::new("docker-registry");
        let mut process = command.arg("serve").arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = log.find(|line| line.contains("listening on ")).expect("the line that tells the address");
        let address = line.split("listening on ").nth(1).unwrap().split('"').next().unwrap().to_owned();
        // Keep reading, or the registry would block.
        std::thread::spawn(move || log.for_each(drop));
        Self { process, address, dir }
    }

    /// For buildah and podman: allows plain HTTP.
    pub fn configuration(&self) -> PathBuf {
        let file = self.dir.path().join("registries.conf");
        fs::write(&file, format!("[[registry]]\nlocation = '{}'\ninsecure = true\n", self.address)).unwrap();
        file
    }

    /// The body of an answer to GET.
    fn get(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // HTTP 1.0 has no chunks.
        write!(stream, "GET /v2/{path} HTTP/1.0\r\nHost: {}\r\nAccept: {ACCEPT}\r\n\r\n", self.address)
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        assert!(head.split(' ').nth(1) == Some("200"), "{path}: {head}");
        answer.split_off(end + 4)
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path)).unwrap()
    }

    /// Configuration and layers of an image; each layer is unpacked below `into`.
    pub fn pull(&self, name: &str, tag: &str, into: &Path) -> Value {
        let manifest = self.json(&format!("{name}/manifests/{tag}"));
        let blob = |of: &Value| format!("{name}/blobs/{}", of["digest"].as_str().unwrap());
        for layer in manifest["layers"].as_array().unwrap() {
            fs::create_dir_all(into).unwrap();
            let mut tar = Command::new("tar");
            tar.args(["--extract", "--gzip", "--same-permissions", "--directory"]).arg(into);
            let mut tar = tar.stdin(Stdio::piped()).spawn().unwrap();
            tar.stdin.take().unwrap().write_all(&self.get(&blob(layer))).unwrap();
            assert!(tar.wait().unwrap().success());
        }
        self.json(&blob(&manifest["config"]))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
