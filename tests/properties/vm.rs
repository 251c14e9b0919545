//! VMIs with their attachments, and what each of our NICs must become: worked out here anew, from the design and not
//! from the sidecar's code.

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const NAMESPACE: &str = "default";
pub const VM: &str = "vm";

/// One of the VMI's interfaces. Its name is unique in the VMI.
#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub kind: Kind,
    pub absent: bool,
}

#[derive(Clone, Debug)]
pub enum Kind {
    /// KubeVirt's own: it is in the domain if `in_domain`.
    Foreign {
        in_domain: bool,
    },
    Ours(NicRequest),
}

/// What somebody wants of a NIC of ours.
#[derive(Clone, Debug)]
pub struct NicRequest {
    pub client: bool,
    pub file_name: &'static str,
    pub mac: Option<&'static str>,
    pub offered_mac: Option<&'static str>,
    pub offered_mtu: Option<u32>,
    pub annotated_mtu: Option<u32>,
    pub link_down: bool,
    pub boot_order: Option<u32>,
    pub acpi_index: u32,
    pub pci_address: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Vm {
    pub interfaces: Vec<Interface>,
    /// sockets, cores and threads with multiqueue.
    pub multiqueue: Option<[u64; 3]>,
}

impl Vm {
    /// Our NICs, absent ones left out.
    pub fn nics(&self) -> impl Iterator<Item = (&Interface, &NicRequest)> {
        let present = self.interfaces.iter().filter(|found| !found.absent);
        present.filter_map(|found| match &found.kind {
            Kind::Ours(wish) => Some((found, wish)),
            Kind::Foreign { .. } => None,
        })
    }

    /// Names of the interfaces that are not absent, in the VMI's order.
    pub fn order(&self) -> Vec<&str> {
        self.interfaces.iter().filter(|found| !found.absent).map(|found| found.name.as_str()).collect()
    }

    pub fn json(&self) -> Vec<u8> {
        let networks: Vec<_> = self.interfaces.iter().map(Interface::network).collect();
        let interfaces: Vec<_> = self.interfaces.iter().map(Interface::json).collect();
        let [sockets, cores, threads] = self.multiqueue.unwrap_or([1, 1, 1]);
        let vmi = json!({
            "metadata": {"namespace": NAMESPACE, "name": VM, "annotations": self.annotations()},
            "spec": {
                "architecture": "amd64",
                "networks": networks,
                "domain": {
                    "cpu": {"sockets": sockets, "cores": cores, "threads": threads, "maxSockets": 4},
                    "devices": {
                        "networkInterfaceMultiqueue": self.multiqueue.is_some(),
                        "interfaces": interfaces,
                    },
                },
            },
        });
        vmi.to_string().into_bytes()
    }

    fn annotations(&self) -> Value {
        let all = self.nics().filter_map(|(interface, wish)| {
            let key = format!("vhostuser.network/mtu.{}", interface.name);
            Some((key, Value::from(wish.annotated_mtu?.to_string())))
        });
        Value::Object(all.collect())
    }

    pub fn network_info(&self) -> Vec<u8> {
        let entries: Vec<_> =
            self.nics().map(|(interface, wish)| wish.network_info(&interface.name)).collect();
        json!({"interfaces": entries}).to_string().into_bytes()
    }

    pub fn queues(&self) -> Option<u64> {
        self.multiqueue.map(|factors| factors.iter().product::<u64>().min(128))
    }
}

impl Interface {
    fn network(&self) -> Value {
        match self.kind {
            Kind::Ours(_) => json!({"name": self.name, "multus": {"networkName": "nad"}}),
            Kind::Foreign { .. } => json!({"name": self.name, "pod": {}}),
        }
    }

    fn json(&self) -> Value {
        let mut json = json!({"name": self.name, "state": if self.absent { "absent" } else { "" }});
        let Kind::Ours(wish) = &self.kind else {
            json["masquerade"] = json!({});
            return json;
        };
        json["binding"] = json!({"name": "vhostuser"});
        json["macAddress"] = wish.mac.into();
        json["pciAddress"] = wish.pci_address.into();
        json["bootOrder"] = wish.boot_order.into();
        json["acpiIndex"] = wish.acpi_index.into();
        if wish.link_down && !self.absent {
            json["state"] = "down".into();
        }
        json
    }
}

impl NicRequest {
    fn network_info(&self, name: &str) -> Value {
        json!({
            "network": name,
            "mac": self.offered_mac,
            "mtu": self.offered_mtu,
            "deviceInfo": {
                "type": "vhost-user",
                "vhost-user": {
                    "mode": if self.client { "client" } else { "server" },
                    "path": format!("{}/{}", device_directory(name), self.file_name),
                },
            },
        })
    }

    pub fn mode(&self) -> &'static str {
        if self.client { "client" } else { "server" }
    }

    /// What `host_mtu` must say.
    pub fn mtu(&self) -> Option<u32> {
        self.annotated_mtu.or(self.offered_mtu).filter(|mtu| *mtu != 1500)
    }

    pub fn expected_mac(&self, name: &str) -> String {
        match self.mac.or(self.offered_mac) {
            Some(mac) => mac.to_ascii_lowercase().replace('-', ":"),
            None => derived_mac(name),
        }
    }

    pub fn expected_path(&self, name: &str) -> String {
        format!("/var/run/kubevirt-hooks/hook-sidecar-0/userdata/{}/{}", pod_interface(name), self.file_name)
    }
}

pub fn device_directory(name: &str) -> String {
    format!("/var/run/vhostuser/{name}")
}

pub fn pod_interface(name: &str) -> String {
    format!("pod{}", &hex(&Sha256::digest(name))[..11])
}

fn derived_mac(name: &str) -> String {
    let mut digest = Sha256::digest(format!("vhostuser-mac-v1\0{NAMESPACE}\0{VM}\0{name}"));
    digest[0] = digest[0] & 0xfc | 2;
    hex(&digest[..6])
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap())
        .collect::<Vec<_>>()
        .join(":")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// VMIs with one to six interfaces, at least one of them ours and not absent.
pub fn vm() -> impl Strategy<Value = Vm> {
    let interfaces = prop::collection::vec((kind(), prop::bool::weighted(0.1)), 1..=6);
    let multiqueue = prop::option::of([1..4_u64, 1..8_u64, 1..3_u64]);
    let vm = (interfaces, multiqueue).prop_map(|(kinds, multiqueue)| {
        let interfaces = kinds.into_iter().enumerate();
        let interfaces = interfaces.map(|(index, (kind, absent))| interface(index, kind, absent)).collect();
        Vm { interfaces, multiqueue }
    });
    vm.prop_filter("nothing is ours", |vm| vm.nics().next().is_some())
}

/// Names and addresses that stay apart by their index.
fn interface(index: usize, mut kind: Kind, absent: bool) -> Interface {
    const NAMES: [&str; 6] = [
        "net1",
        "net11",
        "placeholder-0",
        "a_B-3",
        "x23456789012345678901234567890123456789012345678901234567890123",
        "-",
    ];
    const MACS: [[&str; 2]; 6] = [
        ["02-AA-00-00-00-01", "02:bb:00:00:00:01"],
        ["02-AA-00-00-00-02", "02:BB:00:00:00:02"],
        ["02:aa:00:00:00:03", "02-bb-00-00-00-03"],
        ["02:AA:00:00:00:04", "02:bb:00:00:00:04"],
        ["02:aa:00:00:00:05", "02:bb:00:00:00:05"],
        ["02:aa:00:00:00:06", "02:bb:00:00:00:06"],
    ];
    if let Kind::Ours(wish) = &mut kind {
        wish.mac = wish.mac.map(|_| MACS[index][0]);
        wish.offered_mac = wish.offered_mac.map(|_| MACS[index][1]);
    }
    Interface { name: NAMES[index].to_owned(), kind, absent }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![any::<bool>().prop_map(|in_domain| Kind::Foreign { in_domain }), wish().prop_map(Kind::Ours),]
}

fn wish() -> impl Strategy<Value = NicRequest> {
    let mtu = || prop::option::of(prop::sample::select(vec![68_u32, 1500, 9000, 65535]));
    let pci = prop::option::weighted(0.2, Just("0000:81:1F.7"));
    (
        (any::<bool>(), prop::sample::select(vec!["vhost.sock", "a b&'\"<ž>.sock"])),
        (prop::option::of(Just("")), prop::option::of(Just(""))),
        (mtu(), prop::option::weighted(0.3, mtu()).prop_map(Option::flatten)),
        any::<bool>(),
        (prop::option::of(1..9_u32), 0..3_u32, pci),
    )
        .prop_map(|(socket, macs, mtus, link_down, (boot_order, acpi_index, pci_address))| NicRequest {
            client: socket.0,
            file_name: socket.1,
            mac: macs.0,
            offered_mac: macs.1,
            offered_mtu: mtus.0,
            annotated_mtu: mtus.1,
            link_down,
            boot_order,
            acpi_index,
            pci_address,
        })
}
