//! Arbitrary bytes as a VMI, as network-info and as device metadata: never a panic, and no link that leads elsewhere.

#![no_main]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use libfuzzer_sys::fuzz_target;
use network_vhostuser_binding::attachment::Attachment;
use network_vhostuser_binding::define::prepare;
use network_vhostuser_binding::downwardapi::NetworkInfo;
use network_vhostuser_binding::dra;
use network_vhostuser_binding::vmi::Vmi;

mod config;

/// The metadata reader knows files only; this one goes with `cargo clean`.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/metadata");
    fs::create_dir_all(&folder).unwrap();
    folder
});

fn check(attachment: &Attachment) {
    let directory = attachment.socket.parent().to_string();
    assert!(directory.starts_with('/') && !directory.split('/').any(|part| part == ".."), "{directory}");
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(vmi) = Vmi::parse(bytes) {
        let _ = prepare(&vmi, b"<domain><devices/></domain>", &config::nics());
    }
    if let Ok(info) = NetworkInfo::parse(bytes, "network-info") {
        let own = info.attachment(&"net1".parse().unwrap()).ok().flatten();
        own.iter().for_each(check);
        for (network, attachment) in info.others(&[]).usable {
            assert_eq!(network.pod_interface().len(), 14);
            check(&attachment);
        }
    }
    // Without a version nothing of it is looked at, and writing a file is what takes the time.
    if bytes.windows(10).any(|text| text == b"apiVersion") {
        fs::write(FOLDER.join("d-metadata.json"), bytes).unwrap();
        dra::read(&FOLDER, "r").iter().for_each(check);
    }
});
