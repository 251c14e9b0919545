//! Domains for a VMI: as KubeVirt writes them, as it hands our own answers back, and as an administrator or another
//! sidecar may have left them.

use proptest::prelude::*;

use crate::{
    markup::{Element, Hand, Item, hand},
    vm::{Kind, Vm},
};

pub const QEMU: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// What stands under the alias of one of our NICs before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Nothing,
    /// KubeVirt's reduced copy of our answer; with a PCI address if libvirt has given it one.
    Reduced {
        addressed: bool,
    },
    /// The `ethernet` interface of a binding that was registered with a tap.
    Tap,
    /// Twice everything.
    Overfull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    None,
    Empty,
    Hugepages,
    HugepagesWithMemfd,
    Shared,
    File,
    /// An access element that says nothing.
    Mute,
    Twice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    None,
    /// The namespace is declared and not used.
    Declared,
    Empty,
    /// Another device's property, under another prefix.
    Other,
    /// Stale MTUs of ours beside something else, under no prefix at all.
    Stale,
    /// Nothing but stale MTUs of ours, in two elements.
    StaleTwice,
    /// The usual prefix stands for something else.
    PrefixTaken,
}

#[derive(Clone, Debug)]
pub struct Domain {
    pub hand: Hand,
    pub memory: Memory,
    /// For each NUMA cell: it says `shared`.
    pub cells: Vec<bool>,
    pub overrides: Override,
    /// For each of the VMI's interfaces, where it is ours.
    pub own: Vec<Own>,
    pub passt: bool,
    pub placeholders: usize,
    pub decoys: bool,
    pub other_devices: bool,
    pub devices_first: bool,
}

/// Domains in every hand.
pub fn domain() -> impl Strategy<Value = Domain> {
    let own = prop::sample::select(vec![
        Own::Nothing,
        Own::Nothing,
        Own::Reduced { addressed: false },
        Own::Reduced { addressed: true },
        Own::Tap,
        Own::Overfull,
    ]);
    (hand(), memory(), prop::collection::vec(any::<bool>(), 0..3), overrides(), any::<[bool; 4]>())
        .prop_flat_map(
            move |(hand, memory, cells, overrides, [passt, decoys, other_devices, devices_first])| {
                (prop::collection::vec(own.clone(), 6), 0..3_usize).prop_map(move |(own, placeholders)| {
                    Domain {
                        hand: hand.clone(),
                        memory,
                        cells: cells.clone(),
                        overrides,
                        own,
                        passt,
                        placeholders,
                        decoys,
                        other_devices,
                        devices_first,
                    }
                })
            },
        )
}

/// What KubeVirt's converter may write: its own hand, nothing of ours, nothing odd.
pub fn converted() -> impl Strategy<Value = Domain> {
    let memory = prop::sample::select(vec![
        Memory::None,
        Memory::Hugepages,
        Memory::HugepagesWithMemfd,
        Memory::Shared,
    ]);
    (memory, 0..3_usize, any::<bool>()).prop_map(|(memory, cells, passt)| Domain {
        hand: Hand::KUBEVIRT,
        memory,
        cells: vec![false; cells],
        overrides: Override::None,
        own: vec![Own::Nothing; 6],
        passt,
        placeholders: 0,
        decoys: false,
        other_devices: true,
        devices_first: true,
    })
}

fn memory() -> impl Strategy<Value = Memory> {
    prop::sample::select(vec![
        Memory::None,
        Memory::Empty,
        Memory::Hugepages,
        Memory::HugepagesWithMemfd,
        Memory::Shared,
        Memory::File,
        Memory::Mute,
        Memory::Twice,
    ])
}

fn overrides() -> impl Strategy<Value = Override> {
    prop::sample::select(vec![
        Override::None,
        Override::Declared,
        Override::Empty,
        Override::Other,
        Override::Stale,
        Override::StaleTwice,
        Override::PrefixTaken,
    ])
}

fn leaf(name: &str, attributes: &[(&str, &str)]) -> Item {
    Element::new(name, attributes).into()
}

impl Domain {
    pub fn xml(&self, vm: &Vm) -> String {
        let mut children = vec![leaf("name", &[])];
        if self.decoys {
            children.extend(decoys(vm));
        }
        if self.devices_first {
            children.push(self.devices(vm).into());
        }
        children.extend(memory_backings(self.memory).map(Into::into));
        if !self.cells.is_empty() {
            let numa = Element::new("numa", &[]).with(self.cells.iter().map(|shared| cell(*shared)));
            children.push(Element::new("cpu", &[("mode", "host-model")]).with([numa]).into());
        }
        if !self.devices_first {
            children.push(self.devices(vm).into());
        }
        children.extend(overrides_of(self.overrides, vm).into_iter().map(Into::into));
        let root = Element::new("domain", &self.root_attributes());
        self.hand.write(&root.with(children))
    }

    fn root_attributes(&self) -> Vec<(&'static str, &'static str)> {
        let mut attributes = vec![("type", "kvm")];
        match self.overrides {
            Override::Declared | Override::Empty | Override::StaleTwice => {
                attributes.push(("xmlns:qemu", QEMU));
            }
            Override::Other => attributes.push(("xmlns:q", QEMU)),
            Override::PrefixTaken => attributes.push(("xmlns:qemu", "urn:other")),
            Override::None | Override::Stale => {}
        }
        attributes
    }

    fn devices(&self, vm: &Vm) -> Element {
        let mut children = Vec::new();
        if self.other_devices {
            children.push(leaf("emulator", &[]));
        }
        for (interface, own) in vm.interfaces.iter().zip(&self.own) {
            let alias = format!("ua-{}", interface.name);
            match interface.kind {
                Kind::Foreign { in_domain } if in_domain && !interface.absent => {
                    children.push(ethernet(&alias).into());
                }
                Kind::Foreign { .. } => {}
                Kind::Ours(_) => children.extend(own_interface(*own, &alias).map(Into::into)),
            }
        }
        if self.passt {
            let backend = leaf("backend", &[("type", "passt")]);
            let source = leaf("source", &[("dev", "eth0")]);
            let alias = leaf("alias", &[("name", "ua-passt")]);
            children.push(
                Element::new("interface", &[("type", "vhostuser")]).with([source, backend, alias]).into(),
            );
        }
        for index in 0..self.placeholders {
            children.push(ethernet(&format!("placeholder-{index}")).into());
        }
        if self.other_devices {
            let alias = leaf("alias", &[("name", "ua-rootdisk")]);
            children.push(Item::Raw("<!-- <interface/> -->".to_owned()));
            children.push(Element::new("disk", &[("device", "disk")]).with([alias]).into());
            children.push(leaf("video", &[]));
        }
        Element::new("devices", &[]).with(children)
    }
}

fn cell(shared: bool) -> Element {
    let attributes: &[(&str, &str)] =
        if shared { &[("id", "0"), ("memAccess", "shared")] } else { &[("id", "0")] };
    Element::new("cell", attributes)
}

fn ethernet(alias: &str) -> Element {
    Element::new("interface", &[("type", "ethernet")])
        .with([leaf("source", &[]), leaf("alias", &[("name", alias)])])
}

pub const KEPT_ADDRESS: (&str, &str) = ("bus", "0x07");

fn own_interface(own: Own, alias: &str) -> Option<Element> {
    let mut children = vec![leaf("source", &[("mode", "server")]), leaf("alias", &[("name", alias)])];
    let kind = match own {
        Own::Nothing => return None,
        Own::Tap => "ethernet",
        Own::Reduced { addressed } => {
            if addressed {
                children.insert(0, leaf("address", &[("type", "pci"), KEPT_ADDRESS]));
            }
            children
                .extend([leaf("driver", &[("name", "")]), leaf("mac", &[("address", "52:54:00:00:00:01")])]);
            "vhostuser"
        }
        Own::Overfull => {
            children.extend(children.clone());
            children.extend([
                leaf("mtu", &[("size", "9000")]),
                Item::Raw("<!-- x --><v:x xmlns:v='urn:v'/>".into()),
            ]);
            "vhostuser"
        }
    };
    Some(Element::new("interface", &[("type", kind)]).with(children))
}

fn memory_backings(memory: Memory) -> impl Iterator<Item = Element> {
    let backing = |children: Vec<Item>| Element::new("memoryBacking", &[]).with(children);
    let hugepages = || leaf("hugepages", &[]);
    let shared = || leaf("access", &[("mode", "shared")]);
    let source = |kind| leaf("source", &[("type", kind)]);
    let all = match memory {
        Memory::None => vec![],
        Memory::Empty => vec![backing(vec![])],
        Memory::Hugepages => vec![backing(vec![hugepages(), leaf("nosharepages", &[])])],
        Memory::HugepagesWithMemfd => vec![backing(vec![hugepages(), source("memfd")])],
        Memory::Shared => vec![backing(vec![source("memfd"), shared()])],
        Memory::File => vec![backing(vec![source("file")])],
        Memory::Mute => vec![backing(vec![leaf("access", &[]), leaf("source", &[])])],
        Memory::Twice => vec![backing(vec![hugepages()]), backing(vec![shared()])],
    };
    all.into_iter()
}

fn overrides_of(overrides: Override, vm: &Vm) -> Vec<Element> {
    let stale = |prefix: &str| {
        let devices = vm.nics().map(|(nic, _)| device(prefix, &format!("ua-{}", nic.name), "host_mtu"));
        devices.collect::<Vec<_>>()
    };
    match overrides {
        Override::None | Override::Declared => vec![],
        Override::Empty => vec![Element::new("qemu:override", &[])],
        Override::Other => {
            vec![Element::new("q:override", &[]).with([device("q:", "ua-rootdisk", "host_mtu")])]
        }
        Override::Stale => {
            let other = device("", "ua-rootdisk", "serial");
            vec![Element::new("override", &[("xmlns", QEMU)]).with([other]).with(stale(""))]
        }
        Override::StaleTwice => {
            vec![Element::new("qemu:override", &[]).with(stale("qemu:")); 2]
        }
        Override::PrefixTaken => {
            let alias = vm.nics().next().map(|(nic, _)| format!("ua-{}", nic.name)).unwrap_or_default();
            vec![Element::new("qemu:override", &[]).with([device("qemu:", &alias, "host_mtu")])]
        }
    }
}

fn device(prefix: &str, alias: &str, property: &str) -> Element {
    let property =
        leaf(&format!("{prefix}property"), &[("name", property), ("type", "unsigned"), ("value", "1234")]);
    let frontend = Element::new(&format!("{prefix}frontend"), &[]).with([property]);
    Element::new(&format!("{prefix}device"), &[("alias", alias)]).with([frontend])
}

/// Everything we look for, where it is not what we look for.
fn decoys(vm: &Vm) -> Vec<Item> {
    let name = &vm.interfaces[0].name;
    let interface = format!("<interface type='vhostuser'><alias name=\"ua-{name}\"/></interface>");
    let parts = format!(
        "<devices>{interface}</devices><memoryBacking><access mode='private'/></memoryBacking>\
         <cpu><numa><cell memAccess='private'/></numa></cpu>"
    );
    [
        format!("<metadata><a:b xmlns:a='urn:a' a:c=''>{parts}<a:interface/></a:b>{parts}</metadata>"),
        format!("<!-- {parts} -->"),
        format!("<description><![CDATA[{parts}]]> &lt;devices&gt; &#x41;</description>"),
        "<?devices <interface> ?>".to_owned(),
    ]
    .map(Item::Raw)
    .into()
}
