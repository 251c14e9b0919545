//! The library's pure path, and the links behind it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use network_vhostuser_binding::config::{Layout, NicConfig};
use network_vhostuser_binding::define::{Defined, prepare};
use network_vhostuser_binding::downwardapi::NetworkInfo;
use network_vhostuser_binding::plan::Attachments;
use network_vhostuser_binding::symlink;
use network_vhostuser_binding::vmi::Vmi;
use proptest::test_runner::TestCaseError;
use vocabulary::{ComputePath, QueuePairs, RingSize};

use crate::vm::Vm;

pub fn config(hook_dir: PathBuf) -> NicConfig {
    let compute = ComputePath::directory("/var/run/kubevirt-hooks").unwrap();
    NicConfig {
        binding_name: None,
        layout: Layout::new(hook_dir, &compute, None),
        rx_queue_size: RingSize::MAX,
        tx_queue_size: RingSize::MAX,
        max_queue_pairs: QueuePairs::MAX,
        reconnect_timeout: 1.try_into().unwrap(),
        target_dev: false,
    }
}

/// A sidecar that has found its attachments.
pub struct Sidecar {
    vmi: Vmi,
    network_info: NetworkInfo,
}

impl Sidecar {
    pub fn of(vm: &Vm) -> Self {
        Self {
            vmi: Vmi::parse(&vm.json()).unwrap(),
            network_info: NetworkInfo::parse(&vm.network_info(), "network-info").unwrap(),
        }
    }

    /// An answer; a refusal fails the test.
    pub fn define(&self, xml: &str) -> Result<String, TestCaseError> {
        let defined = self.plan(xml.as_bytes(), &config("/hooks".into()));
        defined.map(|defined| defined.xml).map_err(TestCaseError::fail)
    }

    pub fn plan(&self, xml: &[u8], config: &NicConfig) -> Result<Defined, String> {
        let prepared = prepare(&self.vmi, xml, config).map_err(|error| error.to_string())?;
        let prepared = prepared.ok_or("nothing is ours")?;
        let mut attachments = Attachments::new();
        for request in &prepared.requests.nics {
            let found = self.network_info.attachment(&request.network).map_err(|error| error.to_string())?;
            attachments.insert(request.network.clone(), found.ok_or("not listed")?);
        }
        prepared.define(&attachments, &Attachments::new(), config).map_err(|error| error.to_string())
    }

    /// Makes the links below `dir` and returns all there are.
    pub fn links(&self, xml: &str, dir: &Path) -> Result<Vec<(String, String)>, TestCaseError> {
        let config = config(dir.to_owned());
        let defined = self.plan(xml.as_bytes(), &config).map_err(TestCaseError::fail)?;
        for link in &defined.plan.links {
            symlink::ensure(&config.layout.links, link).unwrap();
        }
        Ok(links_in(dir))
    }
}

/// Every link in the one directory that may have some; anything else in `dir` is an error.
pub fn links_in(dir: &Path) -> Vec<(String, String)> {
    let only = |dir: &Path| {
        let entries: Vec<_> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    };
    let userdata = only(&only(dir));
    assert_eq!(userdata, dir.join("hook-sidecar-0/userdata"));
    let mut links: Vec<_> = userdata.read_dir().unwrap().map(|entry| link(&entry.unwrap().path())).collect();
    links.sort();
    links
}

fn link(path: &Path) -> (String, String) {
    let name = path.file_name().unwrap().to_str().unwrap();
    (name.to_owned(), fs::read_link(path).unwrap().to_str().unwrap().to_owned())
}
