//! The configuration file: YAML, checked as a whole, with every mistake in one message.

mod names;

use std::collections::BTreeSet;

use serde_json::Value;

use names::{ContainerDir, DirMode, Word};
pub use names::{Domain, ResourceName};

use node::fields::{Fields, Mistakes};
use node::socketdir::{Access, Label, Owner};
use vocabulary::{ComputePath, DeviceId, HostDir, Quoted, SOCKET_FILE, SocketMode, SocketPath};

/// The uid and gid of QEMU in KubeVirt's pods.
const QEMU: u32 = 107;

/// The socket root where nothing is said, on the host and in containers.
const ROOT: &str = "/var/run/vhostuser";

/// The most ports, of one resource and in all: each is a mount.
const PORTS_MAX: u64 = 4096;

/// All that the device plugin is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Of the resources' names: `<domain>/<name>`.
    pub domain: Domain,
    /// Where sockets are, and whose.
    pub sockets: Sockets,
    /// The switches of this node.
    pub switches: Vec<Switch>,
    /// What pods may ask for.
    pub resources: Vec<Ports>,
    /// The name of the resource that mounts the whole socket root, for the switch's own pod.
    pub dataplane: Option<ResourceName>,
}

/// Where sockets are, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    /// The directory of all devices' directories on the host.
    pub host_root: HostDir,
    /// The same in containers, where each sees its own devices only.
    pub container_root: ComputePath,
    /// Owner and rights of a device's directory.
    pub access: Access,
    /// Its SELinux label.
    pub label: Option<Label>,
    /// What a pod may put into it.
    pub limits: Limits,
}

/// What a pod may put into one directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files, sockets and directories.
    pub files: u64,
}

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// What resources call it.
    pub name: String,
    /// The socket of its OVSDB server, on the host.
    pub ovsdb: HostDir,
    /// The bridge whose ports the resources are.
    pub bridge: String,
    /// Where it makes the sockets on which it listens, on the host.
    pub sockets: Option<HostDir>,
}

/// A resource whose devices are ports of a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// The name behind the domain.
    pub name: ResourceName,
    /// How many devices there are.
    pub count: u32,
    /// The workload's end of the socket.
    pub mode: SocketMode,
    /// The switch, by its place in [`Config::switches`].
    pub switch: usize,
}

impl Ports {
    /// Its devices: `<name>-0`, `<name>-1`… The same after each start.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        (0..self.count).filter_map(|number| self.name.device(number))
    }

    /// Whether a device is one of them.
    pub fn has(&self, id: &DeviceId) -> bool {
        let number = id.as_str().strip_prefix(self.name.as_str()).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|number| number.parse().ok()).filter(|number| *number < self.count);
        // As text, too: a number can be written in several ways.
        number.and_then(|number| self.name.device(number)).as_ref() == Some(id)
    }
}

impl Sockets {
    /// The socket of a device as its container knows it.
    pub fn in_container(&self, id: &DeviceId) -> ComputePath {
        self.container_root.join(id.as_str()).join(SOCKET_FILE)
    }

    /// The rights to a device's directory. The socket root is the tenants' by one directory each. Where the switch
    /// listens, a tenant has nothing to write there: its directory stays ours, and its group may pass.
    pub fn access_of(&self, mode: SocketMode) -> Access {
        match mode {
            SocketMode::Server => self.access,
            SocketMode::Client => {
                Access { owner: Owner { uid: 0, ..self.access.owner }, mode: 0o750, switch_user: None }
            }
        }
    }
}

impl Config {
    /// Reads and checks the whole.
    ///
    /// # Errors
    /// Every mistake, with the field's path.
    pub fn parse(yaml: &str) -> Result<Self, Mistakes> {
        let mistakes = Mistakes::default();
        let config = match serde_saphyr::from_str::<Value>(yaml) {
            Ok(value) => read(&value, &mistakes),
            Err(error) => {
                mistakes.add("", format_args!("not valid YAML: {error}"));
                None
            }
        };
        mistakes.or(config)
    }

    /// The whole name of a resource.
    pub fn full_name(&self, name: &ResourceName) -> String {
        format!("{}/{}", self.domain.as_str(), name.as_str())
    }
}

fn read(value: &Value, mistakes: &Mistakes) -> Option<Config> {
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

fn check_names(
    resources: &[Ports],
    dataplane: Option<&ResourceName>,
    switches: &[Switch],
    mistakes: &Mistakes,
) {
    let mut seen = BTreeSet::new();
    for name in resources.iter().map(|ports| &ports.name).chain(dataplane) {
        if !seen.insert(name) {
            mistakes.add("resources", format_args!("duplicate name {}", Quoted(name.as_str())));
        }
    }
    let mut seen = BTreeSet::new();
    for Switch { name, .. } in switches {
        if !seen.insert(name) {
            mistakes.add("switches", format_args!("duplicate name {}", Quoted(name)));
        }
    }
    let count: u64 = resources.iter().map(|ports| u64::from(ports.count)).sum();
    if count > PORTS_MAX {
        mistakes
            .add("resources", format_args!("{count} ports in total: a node can have at most {PORTS_MAX}"));
    }
}

/// The longest path of each resource must fit a socket's address, at both ends, and the root must be nobody else's.
fn check_paths(sockets: &Sockets, resources: &[Ports], switches: &[Switch], mistakes: &Mistakes) {
    let root = sockets.host_root.as_ref();
    if root.parent().is_none() {
        mistakes.add("sockets.hostRoot", "must be a dedicated directory");
    }
    for dir in switches.iter().filter_map(|switch| switch.sockets.as_ref()) {
        if dir.as_ref().starts_with(root) || root.starts_with(dir) {
            let problem =
                format_args!("must be neither inside nor above {dir}, where a switch creates its sockets");
            mistakes.add("sockets.hostRoot", problem);
        }
    }
    for ports in resources {
        let Some(longest) = ports.devices().last() else { continue };
        if let Err(error) = sockets.host_root.socket(&longest) {
            mistakes.add("sockets.hostRoot", error);
        }
        if let Err(error) = SocketPath::try_from(sockets.in_container(&longest)) {
            mistakes.add("sockets.containerRoot", error);
        }
    }
}

#[cfg(test)]
mod tests;
