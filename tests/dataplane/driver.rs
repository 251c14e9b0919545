//! The proof on a real dataplane: libvirt, QEMU and OVS with its DPDK datapath as Debian ships them, and the sidecar,
//! device plugin and CNI plugin binaries as they are built. Imitated are virt-launcher (`crates/launcher-sim`), the kubelet
//! (`crates/kubelet-sim`) and Multus.
//!
//! ```text
//! machine   outside: checks the machine, lends hugepages, makes namespaces, looks for what was left behind
//! enter.sh  the way in: a root folder with everything installed, a new /run
//! inside    inside: runs the cases one after the other and reports
//! node      the switch and two peers that every case uses
//! switch    OVS and switch.sh, in which it runs
//! agent     the node's kubelet and device plugin
//! multus    which device is whose; calls the CNI plugin
//! pod       compute.sh and sidecar.sh: the two containers of a virt-launcher pod; mounts.sh: what the kubelet adds
//! doctor    what doctor says
//! prometheus  scrapes the device plugin
//! application  a pod that is no VM: application.sh, testpmd.sh
//! boot      what virt-launcher asks of the hook and of libvirt
//! cases/    the tests
//! ```
//!
//! Run as root: `tests/dataplane/setup.sh && cargo test --test dataplane [-- NAME...]`. See docs/dataplane.md.
#![allow(unreachable_pub)]

mod agent;
mod application;
mod bare_qemu;
mod boot;
mod cases;
mod cni;
mod device;
mod doctor;
mod domain;
mod guest;
mod http;
mod inside;
mod libvirt;
mod logs;
mod machine;
mod multus;
mod network;
mod node;
mod pod;
mod probe;
mod process;
mod prometheus;
mod sandbox;
mod switch;
mod vm;
mod wait;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "--inside") {
        arguments.remove(0);
        return inside::run(&arguments);
    }
    arguments.retain(|argument| !argument.starts_with('-'));
    machine::run(&arguments)
}
