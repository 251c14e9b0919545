//! Arbitrary bytes as the domain of one VM with three NICs: never a panic, and what is accepted is answered with a
//! document that another parser reads and that is its own answer.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use network_vhostuser_binding::config::NicConfig;
use network_vhostuser_binding::define::prepare;
use network_vhostuser_binding::downwardapi::NetworkInfo;
use network_vhostuser_binding::plan::Attachments;
use network_vhostuser_binding::vmi::Vmi;
use roxmltree::Document;

mod config;

/// Server with an MTU, client with an address, and one without anything; KubeVirt's own NIC is between them.
const VMI: &[u8] = br#"{"metadata":{"namespace":"default","name":"vm"},"spec":{
    "networks":[{"name":"a","multus":{}},{"name":"pod","pod":{}},{"name":"b","multus":{}},{"name":"c","multus":{}}],
    "domain":{"devices":{"interfaces":[
        {"name":"a","binding":{"name":"vhostuser"}},
        {"name":"pod","masquerade":{}},
        {"name":"b","binding":{"name":"vhostuser"},"pciAddress":"0000:81:00.0"},
        {"name":"c","binding":{"name":"vhostuser"}}]}}}}"#;

const NETWORK_INFO: &[u8] = br#"{"interfaces":[
    {"network":"a","mtu":9000,"deviceInfo":{"type":"vhost-user","vhost-user":{"mode":"server","path":"/run/a/vhost.sock"}}},
    {"network":"b","deviceInfo":{"type":"vhost-user","vhost-user":{"mode":"client","path":"/run/b/vhost.sock"}}},
    {"network":"c","deviceInfo":{"type":"vhost-user","vhost-user":{"path":"/run/c/vhost.sock"}}}]}"#;

struct Sidecar {
    vmi: Vmi,
    attachments: Attachments,
    config: NicConfig,
}

static SIDECAR: LazyLock<Sidecar> = LazyLock::new(|| {
    let info = NetworkInfo::parse(NETWORK_INFO, "network-info").unwrap();
    let attachments = ["a", "b", "c"].map(|name| {
        let network = name.parse().unwrap();
        let attachment = info.attachment(&network).unwrap().unwrap();
        (network, attachment)
    });
    Sidecar { vmi: Vmi::parse(VMI).unwrap(), attachments: attachments.into(), config: config::nics() }
});

fn define(xml: &[u8]) -> Result<String, String> {
    let Sidecar { vmi, attachments, config } = &*SIDECAR;
    let prepared = prepare(vmi, xml, config).map_err(|error| error.to_string())?;
    let prepared = prepared.expect("three NICs are ours");
    let defined = prepared.define(attachments, &Attachments::new(), config);
    defined.map(|defined| defined.xml).map_err(|error| error.to_string())
}

fuzz_target!(|xml: &[u8]| {
    let judged = std::str::from_utf8(xml).map(Document::parse);
    match (define(xml), judged) {
        (Err(error), Ok(Ok(_))) => assert!(!error.contains("internal"), "{error}"),
        (Err(_), _) => {}
        (Ok(_), Err(error)) => panic!("accepted, but {error}"),
        (Ok(_), Ok(Err(error))) => assert!(is_tolerated(&error), "accepted, but {error}"),
        (Ok(answer), Ok(Ok(_))) => {
            Document::parse(&answer).expect("the answer is well-formed");
            assert_eq!(define(answer.as_bytes()).as_ref(), Ok(&answer), "not its own answer");
        }
    }
});

/// Namespaces are not the sidecar's to judge; libxml2 and Go read such a document too.
fn is_tolerated(error: &roxmltree::Error) -> bool {
    use roxmltree::Error::*;
    matches!(
        error,
        UnknownNamespace(..)
            | DuplicatedNamespace(..)
            | InvalidXmlPrefixUri(..)
            | UnexpectedXmlUri(..)
            | UnexpectedXmlnsUri(..)
            | InvalidElementNamePrefix(..)
            | DuplicatedAttribute(..)
    )
}
