//! Reads the parts of a configuration.

use serde_json::Value;

use super::{
    check::{PORTS_MAX, check_names, check_paths},
    model::{Config, Limits, Ports, Sockets, Switch},
    names::{ContainerDir, DirMode, ResourceName, Word},
};
use node::fields::{Fields, Mistakes};
use node::socketdir::{Access, Owner};
use vocabulary::{Quoted, SocketMode};

/// The uid and gid of QEMU in KubeVirt's pods.
const QEMU: u32 = 107;

/// The socket root where nothing is said, on the host and in containers.
const ROOT: &str = "/var/run/vhostuser";

pub(super) fn read(value: &Value, mistakes: &Mistakes) -> Option<Config> {
    let known = ["domain", "sockets", "switches", "resources", "dataplane"];
    let top = Fields::of(value, "", &known, mistakes)?;
    let domain = top.required("domain");
    let none = Value::Object(serde_json::Map::default());
    let sockets = read_sockets(top.value("sockets").unwrap_or(&none), mistakes);
    let switches = read_each(top, "switches", |item, place| read_switch(item, place, mistakes));
    let known = Switches { named: &switches, declared: declared_names(top) };
    let resources = read_each(top, "resources", |item, place| read_ports(item, place, &known, mistakes));
    let dataplane = top.value("dataplane").and_then(|value| read_dataplane(value, mistakes));
    let nothing = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    if top.value("resources").is_none_or(nothing) && top.value("dataplane").is_none() {
        top.mistake("resources", "is empty: configure at least one resource or the dataplane");
    }
    check_names(&resources, dataplane.as_ref(), &switches, mistakes);
    if let Some(sockets) = &sockets {
        check_paths(sockets, &resources, &switches, mistakes);
    }
    Some(Config { domain: domain?, sockets: sockets?, switches, resources, dataplane })
}

/// The switches that resources may name.
struct Switches<'a> {
    named: &'a [Switch],
    /// The names of all, those with mistakes too.
    declared: Vec<&'a str>,
}

fn declared_names(top: Fields<'_>) -> Vec<&str> {
    let items = top.value("switches").and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get("name")?.as_str()).collect()
}

fn read_each<T>(top: Fields<'_>, key: &str, read: impl Fn(&Value, &str) -> Option<T>) -> Vec<T> {
    let items = top.list(key).iter().enumerate();
    items.filter_map(|(number, item)| read(item, &format!("{key}[{number}]"))).collect()
}

fn read_sockets(value: &Value, mistakes: &Mistakes) -> Option<Sockets> {
    let known = ["hostRoot", "containerRoot", "owner", "mode", "switchUser", "selinuxLabel", "limits"];
    let fields = Fields::of(value, "sockets", &known, mistakes)?;
    let host_root = fields.optional("hostRoot").or_else(|| ROOT.parse().ok());
    let container_root = fields.optional::<ContainerDir>("containerRoot").or_else(|| ROOT.parse().ok());
    let mode = fields.optional::<DirMode>("mode").unwrap_or(DirMode(0o770));
    let owner =
        fields.value("owner").map_or(Some(Owner { uid: QEMU, gid: QEMU }), |v| read_owner(v, mistakes));
    let switch_user =
        fields.number("switchUser", 1..=u64::from(u32::MAX - 1)).and_then(|id| id.try_into().ok());
    let limits = fields
        .value("limits")
        .map_or(Some(Limits { bytes: 64 << 10, files: 32 }), |v| read_limits(v, mistakes));
    let label = fields.optional("selinuxLabel");
    Some(Sockets {
        host_root: host_root?,
        container_root: container_root?.0,
        access: Access { owner: owner?, mode: mode.0, switch_user },
        label,
        limits: limits?,
    })
}

fn read_owner(value: &Value, mistakes: &Mistakes) -> Option<Owner> {
    let fields = Fields::of(value, "sockets.owner", &["uid", "gid"], mistakes)?;
    let id = |key| match fields.value(key) {
        None => Some(QEMU),
        Some(_) => fields.number(key, 0..=u64::from(u32::MAX - 1)).and_then(|id| id.try_into().ok()),
    };
    Some(Owner { uid: id("uid")?, gid: id("gid")? })
}

/// A file needs at least a page, and a socket directory a few entries.
fn read_limits(value: &Value, mistakes: &Mistakes) -> Option<Limits> {
    let fields = Fields::of(value, "sockets.limits", &["bytes", "files"], mistakes)?;
    let bytes = fields.value("bytes").map_or(Some(64 << 10), |_| fields.number("bytes", 4096..=1 << 30));
    let files = fields.value("files").map_or(Some(32), |_| fields.number("files", 4..=1 << 10));
    Some(Limits { bytes: bytes?, files: files? })
}

fn read_switch(value: &Value, place: &str, mistakes: &Mistakes) -> Option<Switch> {
    let fields = Fields::of(value, place, &["name", "ovsdb", "bridge", "sockets"], mistakes)?;
    let name = fields.required::<Word>("name");
    let bridge = fields.required::<Word>("bridge");
    let ovsdb = fields.optional("ovsdb").or_else(|| "/var/run/openvswitch/db.sock".parse().ok());
    let sockets = fields.optional("sockets");
    Some(Switch { name: name?.0, ovsdb: ovsdb?, bridge: bridge?.0, sockets })
}

fn read_ports(value: &Value, place: &str, switches: &Switches<'_>, mistakes: &Mistakes) -> Option<Ports> {
    let fields = Fields::of(value, place, &["name", "ports", "mode", "switch"], mistakes)?;
    let name = fields.required("name");
    let count = match fields.value("ports") {
        Some(_) => fields.number("ports", 1..=PORTS_MAX).and_then(|count| count.try_into().ok()),
        None => {
            fields.mistake("ports", "is missing");
            None
        }
    };
    let mode = fields.required("mode");
    let switch = fields.required::<Word>("switch").and_then(|Word(name)| {
        if !switches.declared.contains(&name.as_str()) {
            fields.mistake("switch", format_args!("{} is not the name of a switch", Quoted(&name)));
        }
        switches.named.iter().position(|switch| switch.name == name)
    });
    if let (Some(SocketMode::Client), Some(Switch { name, sockets: None, .. })) =
        (mode, switch.map(|place| &switches.named[place]))
    {
        fields.mistake(
            "mode",
            format_args!("'client' (switch listens) needs the field 'sockets' of switch {}", Quoted(name)),
        );
    }
    Some(Ports { name: name?, count: count?, mode: mode?, switch: switch? })
}

fn read_dataplane(value: &Value, mistakes: &Mistakes) -> Option<ResourceName> {
    Fields::of(value, "dataplane", &["name"], mistakes)?.required("name")
}
