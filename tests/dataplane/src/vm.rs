//! A virtual machine: the VMI object and the domain that KubeVirt's converter makes of it, before any hook.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::agent::{CLIENT1, SERVER1, SERVER2};

pub const MEMORY_MIB: u32 = 256;

/// Which end of a NIC's socket QEMU is, in device-info's sense.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Server,
    Client,
}

/// What stands behind the guest's memory before the hook.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nothing said: the hook has to arrange it.
    Plain,
    Hugepages,
    /// Two NUMA cells.
    Cells,
}

#[derive(Clone)]
pub struct Nic {
    /// Name of the interface and of its network.
    pub name: String,
    pub mac: String,
    pub address: Ipv4Addr,
    pub bridge: &'static str,
    pub mode: Mode,
    /// As its NAD has it.
    pub mtu: Option<u16>,
    /// Whether its NAD asks for a file that tells a DPDK application its socket.
    pub application_file: bool,
}

impl Nic {
    /// On the first bridge.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mac: "02:00:00:00:00:10".to_owned(),
            address: Ipv4Addr::new(192, 0, 2, 10),
            bridge: "br1",
            mode: Mode::Server,
            mtu: None,
            application_file: false,
        }
    }

    /// On the first bridge, beside the one above.
    pub fn beside(name: &str) -> Self {
        let address = Ipv4Addr::new(192, 0, 2, 20);
        Self { mac: "02:00:00:00:00:20".to_owned(), address, ..Self::new(name) }
    }

    /// On the second bridge.
    pub fn second(name: &str) -> Self {
        Self {
            mac: "02:00:00:00:00:20".to_owned(),
            address: Ipv4Addr::new(198, 51, 100, 10),
            bridge: "br2",
            ..Self::new(name)
        }
    }

    /// What its NAD makes a pod ask the kubelet for.
    pub fn resource(&self) -> &'static str {
        match (self.bridge, self.mode) {
            ("br1", Mode::Server) => SERVER1,
            ("br1", Mode::Client) => CLIENT1,
            _ => SERVER2,
        }
    }
}

#[derive(Clone)]
pub struct Vm {
    pub name: String,
    pub uid: String,
    pub cores: u32,
    pub multiqueue: bool,
    pub memory: Memory,
    pub nics: Vec<Nic>,
    kernel: String,
    /// For the guest's kernel command line.
    extra_argument: String,
}

impl Vm {
    pub fn new(nics: Vec<Nic>) -> Self {
        Self {
            name: "vm".to_owned(),
            uid: "6e3f1c5e-0000-4000-8000-000000000001".to_owned(),
            cores: 2,
            multiqueue: false,
            memory: Memory::Plain,
            nics,
            kernel: guest_kernel(),
            extra_argument: msi_workaround().to_owned(),
        }
    }

    /// Another one, that may run at the same time.
    pub fn beside() -> Self {
        let uid = "6e3f1c5e-0000-4000-8000-000000000002".to_owned();
        Self { name: "second".to_owned(), uid, ..Self::new(vec![Nic::beside("blue")]) }
    }

    /// The name libvirt knows it by.
    pub fn domain(&self) -> String {
        format!("default_{}", self.name)
    }

    /// Keeps so much guest memory changing all the time.
    pub fn dirtying(mut self, mib: u32) -> Self {
        self.extra_argument.push_str(&format!(" guest.dirty={mib}"));
        self
    }

    pub fn vmi_json(&self) -> Vec<u8> {
        let interface =
            |nic: &Nic| json!({"name": nic.name, "macAddress": nic.mac, "binding": {"name": "vhostuser"}});
        let network =
            |nic: &Nic| json!({"name": nic.name, "multus": {"networkName": format!("default/{}", nic.name)}});
        let hugepages = match self.memory {
            Memory::Hugepages => json!({"pageSize": "2Mi"}),
            Memory::Plain | Memory::Cells => Value::Null,
        };
        let vmi = json!({
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstance",
            "metadata": {"name": self.name, "namespace": "default", "uid": self.uid},
            "spec": {
                "architecture": "amd64",
                "domain": {
                    "cpu": {"sockets": 1, "cores": self.cores, "threads": 1},
                    "memory": {"guest": format!("{MEMORY_MIB}Mi"), "hugepages": hugepages},
                    "machine": {"type": "q35"},
                    "firmware": {"uuid": self.uid},
                    "devices": {
                        "networkInterfaceMultiqueue": self.multiqueue,
                        "interfaces": self.nics.iter().map(interface).collect::<Vec<_>>(),
                    },
                    "resources": {},
                },
                "networks": self.nics.iter().map(network).collect::<Vec<_>>(),
            },
            "status": {"phase": "Scheduled", "runtimeUser": 107},
        });
        vmi.to_string().into_bytes()
    }

    /// In the form of KubeVirt's XML encoder, with what its converter writes for these VMs. TCG (`type="qemu"` and a
    /// CPU model that it has) is the only difference to a real node's.
    pub fn domain_xml(&self) -> String {
        let Self { uid, cores, kernel, .. } = self;
        let name = self.domain();
        let cmdline = self.kernel_arguments();
        let memory = u64::from(MEMORY_MIB) << 20;
        let private = format!("/var/run/kubevirt-private/{uid}");
        let memory_backing = self.memory_backing();
        let cells = self.numa_cells();
        format!(
            r#"<domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
	<name>{name}</name>
	<uuid>{uid}</uuid>
	<memory unit="b">{memory}</memory>{memory_backing}
	<os>
		<type arch="x86_64" machine="q35">hvm</type>
		<smbios mode="sysinfo"></smbios>
		<kernel>{kernel}</kernel>
		<initrd>/guest/initramfs.gz</initrd>
		<cmdline>{cmdline}</cmdline>
	</os>
	<sysinfo type="smbios">
		<system>
			<entry name="uuid">{uid}</entry>
			<entry name="manufacturer">KubeVirt</entry>
		</system>
		<bios></bios>
		<baseBoard></baseBoard>
		<chassis></chassis>
	</sysinfo>
	<devices>
		<controller type="usb" index="0" model="none"></controller>
		<controller type="scsi" index="0" model="virtio-non-transitional"></controller>
		<controller type="virtio-serial" index="0" model="virtio-non-transitional"></controller>
		<memballoon model="virtio-non-transitional" freePageReporting="on">
			<stats period="10"></stats>
		</memballoon>
		<serial type="unix">
			<target port="0"></target>
			<source mode="bind" path="{private}/virt-serial0"></source>
			<log file="{private}/virt-serial0-log" append="on"></log>
		</serial>
		<console type="pty">
			<target type="serial" port="0"></target>
		</console>
	</devices>
	<metadata>
		<kubevirt xmlns="http://kubevirt.io">
			<uid>{uid}</uid>
		</kubevirt>
	</metadata>
	<features>
		<acpi></acpi>
	</features>
	<cpu mode="custom" match="exact" check="none">
		<model fallback="allow">qemu64</model>
		<topology sockets="1" cores="{cores}" threads="1"></topology>{cells}
	</cpu>
	<vcpu placement="static">{cores}</vcpu>
</domain>"#
        )
    }

    fn kernel_arguments(&self) -> String {
        let mut arguments = format!("console=ttyS0 quiet panic=-1 net.ifnames=0 {}", self.extra_argument);
        for (index, nic) in self.nics.iter().enumerate() {
            arguments.push_str(&format!(" guest.eth{index}={}", nic.address));
        }
        arguments
    }

    fn memory_backing(&self) -> &'static str {
        match self.memory {
            Memory::Hugepages => {
                "\n\t<memoryBacking>\n\t\t<hugepages></hugepages>\n\t\t<source type=\"memfd\"></source>\n\t</memoryBacking>"
            }
            Memory::Plain | Memory::Cells => "",
        }
    }

    fn numa_cells(&self) -> String {
        if self.memory != Memory::Cells {
            return String::new();
        }
        let half = MEMORY_MIB * 1024 / 2;
        let cell =
            |id| format!("\n\t\t\t<cell id=\"{id}\" cpus=\"{id}\" memory=\"{half}\" unit=\"KiB\"></cell>");
        format!("\n\t\t<numa>{}{}\n\t\t</numa>", cell(0), cell(1))
    }
}

/// In the node's root folder, where the set-up script has put it.
fn guest_kernel() -> String {
    let entries = std::fs::read_dir("/guest/boot").into_iter().flatten().flatten();
    let kernel =
        entries.map(|entry| entry.path().display().to_string()).find(|path| path.contains("vmlinuz"));
    kernel.unwrap_or_else(|| "/guest/boot/vmlinuz".to_owned())
}

/// QEMU 7.2 dies of a vhost-user NIC with MSI-X when it emulates the CPU (TCG), so bookworm's guests do without.
fn msi_workaround() -> &'static str {
    let stack = std::fs::read_to_string("/etc/debian_version").unwrap_or_default();
    if stack.starts_with("12") { "pci=nomsi" } else { "" }
}
