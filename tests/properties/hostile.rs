//! Input that nobody should send: nothing panics, nothing leaves its place, and what is accepted is good.

use std::path::Path;

use network_vhostuser_binding::define::prepare;
use network_vhostuser_binding::downwardapi::NetworkInfo;
use network_vhostuser_binding::dra::{self, MetadataFile};
use network_vhostuser_binding::plan::Attachments;
use network_vhostuser_binding::symlink;
use network_vhostuser_binding::vmi::Vmi;
use proptest::prelude::*;
use roxmltree::Document;
use serde_json::json;

use crate::{
    domain::domain,
    judge,
    sidecar::{self, Sidecar},
    vm::{Vm, vm},
};

/// One change of a text's bytes.
#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "<",
            ">",
            "/>",
            "</domain>",
            "<devices/>",
            "&",
            "&amp;",
            "&#0;",
            "&x;",
            "]]>",
            "<!--",
            "-->",
            "--",
            "<![CDATA[",
            "<!DOCTYPE x>",
            "<?xml version='1.0'?>",
            " a='",
            "\"",
            "'",
            "=",
            "\0",
            "\u{feff}",
            "\u{ffff}",
            " xmlns='u'",
            "{",
            "}",
            "[",
            "null",
            "-1",
            "1e999",
            "\\ud800",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Damage::Cut),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

fn damaged(mut bytes: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for damage in all {
        let at = |index: &prop::sample::Index| index.index(bytes.len() + 1);
        match damage {
            Damage::Cut(index) => bytes.truncate(at(index)),
            Damage::Replace(index, byte) => {
                let at = at(index);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Damage::Insert(index, piece) => {
                let at = at(index);
                bytes.splice(at..at, piece.iter().copied());
            }
            Damage::Repeat(from, to) => {
                let (from, to) = (at(from).min(at(to)), at(from).max(at(to)));
                let piece = bytes[from..to].to_vec();
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

fn some_damage() -> impl Strategy<Value = Vec<Damage>> {
    prop::collection::vec(damage(), 1..4)
}

fn check_domain(vm: &Vm, bytes: &[u8]) -> Result<(), TestCaseError> {
    let sidecar = Sidecar::of(vm);
    let Ok(defined) = sidecar.plan(bytes, &sidecar::config("/hooks".into())) else {
        return Ok(());
    };
    let given = std::str::from_utf8(bytes).unwrap();
    // Namespaces are not ours to judge: a prefix that nobody declares is neither read nor refused.
    if Document::parse(given).is_ok() {
        Document::parse(&defined.xml).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    prop_assert_eq!(sidecar.define(&defined.xml)?, defined.xml);
    Ok(())
}

fn read_metadata(bytes: &[u8]) {
    let file = MetadataFile { name: "f".to_owned(), bytes: bytes.to_vec() };
    if let Err(error) = dra::parse(Path::new("d"), &[file], "r") {
        assert!(!error.problem.to_string().is_empty());
    }
}

fn read_network_info(bytes: &[u8]) {
    if let Ok(info) = NetworkInfo::parse(bytes, "network-info") {
        let _ = info.attachment(&"net1".parse().unwrap());
        let others = info.others(&[]);
        for (network, attachment) in others.usable {
            assert!(judge::is_safe_link(&network.pod_interface()));
            let target = attachment.socket.parent().to_string();
            assert!(target.starts_with('/') && !target.split('/').any(|part| part == ".."), "{target}");
        }
    }
}

const METADATA: &str = r#"{"apiVersion":"metadata.resource.k8s.io/v1beta1","requests":[{"name":"r","devices":[{"driver":"d",
    "pool":"n","name":"p","attributes":{"vhost-user-path":{"string":"/run/c/r/vhost.sock"},"mtu":{"int":9000}},
    "networkData":{"hardwareAddress":"02:00:00:00:00:07"}}]}]}"#;

proptest! {
    #[test]
    fn a_damaged_domain_is_refused_or_still_answered_well(vm in vm(), domain in domain(), damage in some_damage()) {
        check_domain(&vm, &damaged(domain.xml(&vm).into_bytes(), &damage))?;
    }

    #[test]
    fn no_bytes_panic(vm in vm(), bytes in any::<Vec<u8>>(), text in "[<>/&;'\"= a-z\\-!?\\[\\]]{0,60}") {
        check_domain(&vm, &bytes)?;
        check_domain(&vm, format!("<domain>{text}<devices/></domain>").as_bytes())?;
        let _ = Vmi::parse(&bytes);
        read_network_info(&bytes);
        read_metadata(&bytes);
    }

    #[test]
    fn damaged_json_does_not_panic(vm in vm(), damage in some_damage()) {
        if let Ok(vmi) = Vmi::parse(&damaged(vm.json(), &damage)) {
            let _ = prepare(&vmi, b"<domain><devices/></domain>", &sidecar::config("/hooks".into()));
        }
        read_network_info(&damaged(vm.network_info(), &damage));
        read_metadata(&damaged(METADATA.into(), &damage));
    }

    /// Whatever networks and paths are called, links are made in one directory and under plain names.
    #[test]
    fn hostile_names_make_no_link_elsewhere(
        names in prop::collection::vec(hostile(), 1..4),
        paths in prop::collection::vec(hostile(), 4),
    ) {
        let interfaces: Vec<_> =
            names.iter().map(|name| json!({"name": name, "binding": {"name": "vhostuser"}})).collect();
        let networks: Vec<_> = names.iter().map(|name| json!({"name": name, "multus": {}})).collect();
        let entries: Vec<_> = names.iter().zip(&paths).map(|(name, path)| {
            json!({"network": name, "deviceInfo": {"type": "vhost-user", "vhost-user": {"path": path}}})
        }).collect();
        let vmi = json!({"spec": {"networks": networks, "domain": {"devices": {"interfaces": interfaces}}}});
        let vmi = Vmi::parse(vmi.to_string().as_bytes()).unwrap();
        let info = NetworkInfo::parse(json!({"interfaces": entries}).to_string().as_bytes(), "f").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let config = sidecar::config(dir.path().to_owned());
        let Ok(Some(prepared)) = prepare(&vmi, b"<domain><devices/></domain>", &config) else { return Ok(()) };
        let attachments: Attachments = prepared.requests.nics.iter().filter_map(|request| {
            Some((request.network.clone(), info.attachment(&request.network).ok()??))
        }).collect();
        let Ok(defined) = prepared.define(&attachments, &Attachments::new(), &config) else { return Ok(()) };
        for link in &defined.plan.links {
            symlink::ensure(&config.layout.links, link).unwrap();
        }
        for (name, target) in sidecar::links_in(dir.path()) {
            prop_assert!(judge::is_safe_link(&name), "{}", name);
            prop_assert!(target.starts_with('/') && !target.split('/').any(|part| part == ".."), "{}", target);
        }
    }
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9_-]{1,8}",
        "/[a-z]{1,3}/[a-z]{1,3}",
        r"(\.\.|/|\.|net|\PC|[\x00-\x1f]){0,5}",
        prop::sample::select(vec![
            "../../x",
            "..",
            ".",
            "",
            "/",
            "a/b",
            "pod\0x",
            "/a/../b",
            "//a//b",
            "net1",
            "/\u{fffe}/x"
        ])
        .prop_map(str::to_owned),
    ]
}

/// Nesting as deep as a message can carry must cost neither the stack nor much time.
#[test]
fn depth_costs_neither_the_stack_nor_much_time() {
    const DEPTH: usize = 49_000;
    let vmi = json!({
        "spec": {
            "networks": [{"name": "net1", "multus": {}}],
            "domain": {"devices": {"interfaces": [{"name": "net1", "binding": {"name": "vhostuser"}}]}},
        },
    });
    let vmi = Vmi::parse(vmi.to_string().as_bytes()).unwrap();
    let entry =
        json!({"network": "net1", "deviceInfo": {"type": "vhost-user", "vhost-user": {"path": "/run/x/s"}}});
    let info = NetworkInfo::parse(json!({"interfaces": [entry]}).to_string().as_bytes(), "f").unwrap();
    let config = sidecar::config("/hooks".into());
    for tag in ["q:device", "q:override", "interface", "numa"] {
        let (open, close) = (format!("<{tag}>").repeat(DEPTH), format!("</{tag}>").repeat(DEPTH));
        let qemu = crate::domain::QEMU;
        let xml = format!(
            "<domain xmlns:q=\"{qemu}\"><devices/><q:override>{open}{close}</q:override>{open}{close}</domain>"
        );
        let prepared = prepare(&vmi, xml.as_bytes(), &config).unwrap().unwrap();
        let network = prepared.requests.nics[0].network.clone();
        let attachment = info.attachment(&network).unwrap().unwrap();
        let attachments = Attachments::from([(network, attachment)]);
        let defined = prepared.define(&attachments, &Attachments::new(), &config).unwrap();
        assert_eq!(defined.plan.nics.len(), 1);
        assert!(defined.xml.len() > xml.len());
    }
}
