//! What KubeVirt's structs keep of a domain: `pkg/virt-launcher/virtwrap/api/schema.go`, as data.
//!
//! Go's decoder drops whatever has no field, and its encoder writes the fields in the order of the struct.
//! So a list of children is both a filter and an order. Modelled are the parts a network sidecar touches;
//! the rest is [`Keep::All`], which is exact for what KubeVirt itself wrote.

/// What is kept of an element's attributes and children.
pub enum Keep {
    /// Not modelled: everything in the element's own namespace, in the order found.
    All,
    /// These alone, in this order.
    Only(&'static [Attribute], &'static [Child]),
}

/// One field tagged `attr`.
pub struct Attribute {
    pub name: &'static str,
    /// Without `omitempty`: an attribute that is missing comes back empty.
    pub always: bool,
}

/// One field that is an element.
pub struct Child {
    /// The tag as it is written, with its prefix.
    pub tag: &'static str,
    pub keep: Keep,
    pub namespace: Namespace,
    /// A struct by value: an element that is missing comes back empty.
    pub always: bool,
}

/// Which elements of the right local name are read into a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Any: Go compares the local name alone where the tag names no namespace.
    Any,
    /// `http://kubevirt.io`, declared on the element.
    KubeVirt,
    /// QEMU's. The tag `qemu:commandline` is a local name with a colon to Go's decoder, so nothing is ever
    /// read into it; main reads these elements again on its own (`virtwrap/converter/translate`).
    Qemu,
}

const fn always(name: &'static str) -> Attribute {
    Attribute { name, always: true }
}

const fn optional(name: &'static str) -> Attribute {
    Attribute { name, always: false }
}

const fn child(tag: &'static str, keep: Keep) -> Child {
    Child { tag, keep, namespace: Namespace::Any, always: false }
}

const fn whole(tag: &'static str) -> Child {
    child(tag, Keep::All)
}

/// An element with one attribute and nothing else.
const fn flat(tag: &'static str, attributes: &'static [Attribute]) -> Child {
    child(tag, Keep::Only(attributes, &[]))
}

const fn qemu(tag: &'static str, keep: Keep) -> Child {
    Child { tag, keep, namespace: Namespace::Qemu, always: false }
}

/// `DomainSpec`. Title, description and `qemu:override` have no field; `xmlns:qemu` has one that is never
/// filled.
pub const DOMAIN: Keep = Keep::Only(
    &[always("type")],
    &[
        whole("name"),
        whole("uuid"),
        whole("memory"),
        whole("currentMemory"),
        whole("maxMemory"),
        child("memoryBacking", MEMORY_BACKING),
        whole("os"),
        whole("sysinfo"),
        child("devices", DEVICES),
        whole("clock"),
        whole("resource"),
        qemu("qemu:commandline", Keep::Only(&[], QEMU_COMMANDLINE)),
        child("metadata", Keep::Only(&[], METADATA)),
        whole("features"),
        child("cpu", CPU),
        whole("vcpu"),
        whole("vcpus"),
        whole("cputune"),
        whole("numatune"),
        whole("iothreads"),
        whole("launchSecurity"),
        whole("on_reboot"),
    ],
);

/// `Commandline`: all environment entries come before all arguments.
const QEMU_COMMANDLINE: &[Child] = &[qemu("qemu:env", Keep::All), qemu("qemu:arg", Keep::All)];

/// `Metadata`: one element with KubeVirt's namespace.
const METADATA: &[Child] =
    &[Child { tag: "kubevirt", keep: Keep::All, namespace: Namespace::KubeVirt, always: false }];

/// `MemoryBacking`: no field for `locked` and `discard`.
const MEMORY_BACKING: Keep = Keep::Only(
    &[],
    &[
        whole("hugepages"),
        flat("source", &[always("type")]),
        flat("access", &[always("mode")]),
        flat("allocation", &[always("mode")]),
        flat("nosharepages", &[]),
    ],
);

/// `CPU`, modelled for the sake of the cells' `memAccess`.
const CPU: Keep = Keep::Only(
    &[optional("mode")],
    &[
        whole("model"),
        whole("feature"),
        whole("topology"),
        child("numa", Keep::Only(&[], &[child("cell", NUMA_CELL)])),
    ],
);

/// `NUMACell`; the distances are there since NUMA pass-through writes them (main).
const NUMA_CELL: Keep = Keep::Only(
    &[always("id"), always("cpus"), optional("memory"), optional("unit"), optional("memAccess")],
    &[whole("distances")],
);

/// `Devices`: kind by kind, so an interface never stays between two disks.
const DEVICES: Keep = Keep::Only(
    &[],
    &[
        whole("emulator"),
        child("interface", INTERFACE),
        whole("channel"),
        whole("hostdev"),
        whole("panic"),
        whole("controller"),
        whole("video"),
        whole("graphics"),
        whole("memballoon"),
        whole("disk"),
        whole("input"),
        whole("serial"),
        whole("console"),
        whole("watchdog"),
        whole("rng"),
        whole("filesystem"),
        whole("redirdev"),
        whole("sound"),
        whole("tpm"),
        whole("vsock"),
        whole("memory"),
        whole("iommu"),
    ],
);

/// `Interface`. The source's `type` and `path`, `reconnect`, the queue sizes and all of coalesce, teaming,
/// vlan, virtualport, port, guest and tune have no field; `bandwidth` has an empty one.
const INTERFACE: Keep = Keep::Only(
    &[always("type"), optional("trustGuestRxFilters")],
    &[
        flat("address", ADDRESS),
        Child {
            tag: "source",
            keep: Keep::Only(
                &[optional("network"), optional("dev"), optional("bridge"), optional("mode")],
                &[flat("address", ADDRESS)],
            ),
            namespace: Namespace::Any,
            always: true,
        },
        flat("target", &[always("dev"), optional("managed")]),
        flat("model", &[always("type")]),
        flat("mac", &[always("address")]),
        flat("mtu", &[always("size")]),
        flat("bandwidth", &[]),
        flat("boot", &[always("order")]),
        flat("link", &[always("state")]),
        flat("filterref", &[always("filter")]),
        flat("alias", &[always("name")]),
        flat("driver", &[always("name"), optional("queues"), optional("iommu")]),
        flat("rom", &[always("enabled")]),
        flat("acpi", &[always("index")]),
        flat("backend", &[optional("type"), optional("logFile")]),
        whole("portForward"),
    ],
);

/// `Address`: no field for `multifunction`.
const ADDRESS: &[Attribute] = &[
    optional("type"),
    optional("domain"),
    optional("bus"),
    optional("slot"),
    optional("function"),
    optional("controller"),
    optional("target"),
    optional("unit"),
    optional("uuid"),
    optional("device"),
    optional("cssid"),
    optional("ssid"),
    optional("devno"),
];
