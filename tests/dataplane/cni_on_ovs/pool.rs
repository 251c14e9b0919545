//! An IPAM plugin, played by a script that writes down what it was asked and whom it has given an address.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use super::call::Call;

const DIR: &str = "/run/cni-ipam";

const SCRIPT: &str = r#"#!/bin/sh
cd /run/cni-ipam
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME" >> asked
[ ! -e "$CNI_COMMAND-fails" ] || { echo '{"code":42,"msg":"no address is left"}'; exit 1; }
[ ! -e "$CNI_COMMAND-hangs" ] || exec sleep 60
[ ! -e "$CNI_COMMAND-thinks" ] || sleep 1
case $CNI_COMMAND in
ADD)
    : > "given/$CNI_CONTAINERID"
    echo '{"cniVersion":"1.1.0","ips":[{"address":"192.0.2.77/24"}]}' ;;
DEL) rm -f "given/$CNI_CONTAINERID" ;;
GC)
    valid=$(cat)
    for given in given/*; do
        case $valid in *"\"containerID\":\"${given#given/}\""*) ;; *) rm -f "$given" ;; esac
    done ;;
esac
"#;

/// The script and its records; they go with this value.
pub(crate) struct Pool {
    dir: &'static Path,
}

impl Pool {
    pub(crate) fn new() -> Result<Self> {
        let dir = Path::new(DIR);
        fs::create_dir_all(dir.join("given"))?;
        let script = dir.join("pool");
        fs::write(&script, SCRIPT)?;
        fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
        Ok(Self { dir })
    }

    /// An attachment that gets its address from it.
    pub(crate) fn call(&self, container: &str, device: &str) -> Call {
        Call::new(container, device)
            .with("ipam", json!({ "type": "pool" }))
            .variable("CNI_PATH", &self.dir.to_string_lossy())
    }

    /// What it was asked since the last look; by `c1`, just the command.
    pub(crate) fn expect(&self, asked: &[&str]) -> Result<()> {
        let file = self.dir.join("asked");
        let said = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        let is: Vec<_> = said.lines().map(|line| line.strip_suffix(" c1 net1").unwrap_or(line)).collect();
        ensure!(is == asked, "the IPAM plugin was asked {is:?}, should be {asked:?}");
        Ok(())
    }

    /// Whether it was asked anything since the last look.
    pub(crate) fn is_asked(&self) -> bool {
        self.dir.join("asked").exists()
    }

    /// The containers that have an address.
    pub(crate) fn given(&self) -> Result<Vec<String>> {
        let files = fs::read_dir(self.dir.join("given"))?;
        let mut names = files
            .map(|file| Ok(file?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    /// A command that fails, hangs or thinks for a second, as long as this is set.
    pub(crate) fn set(&self, how: &str, to: bool) -> Result<()> {
        let file = self.dir.join(how);
        if to { fs::write(file, "") } else { fs::remove_file(file) }.map_err(Into::into)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.dir);
    }
}
