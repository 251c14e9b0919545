//! Arbitrary bytes as a VMI, as network-info and as device metadata: never a panic, and no link that leads elsewhere.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use network_vhostuser_binding::attachment::Attachment;
use network_vhostuser_binding::define::prepare;
use network_vhostuser_binding::downwardapi::NetworkInfo;
use network_vhostuser_binding::dra::{self, MetadataFile};
use network_vhostuser_binding::vmi::Vmi;

mod config;

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
    let file = MetadataFile { name: "f".to_owned(), bytes: bytes.to_vec() };
    dra::parse(Path::new("d"), &[file], "r").iter().for_each(check);
});
