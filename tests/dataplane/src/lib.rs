//! The proof on a real dataplane: libvirt, QEMU and OVS with its DPDK datapath as Debian ships them, and the sidecar,
//! device plugin and CNI plugin binaries as they are built. Imitated are virt-launcher (`crates/launcher-sim`), the kubelet
//! (`crates/kubelet-sim`) and Multus.
//!
//! This is what two suites share. `cases/` needs all of it; `cni_on_ovs/` needs neither libvirt nor QEMU.
//!
//! ```text
//! suite     a test program: its cases, and what they need
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
//! ```
//!
//! Run as root: `tests/dataplane/setup.sh && cargo test -p dataplane --test dataplane [-- NAME...]`. See docs/dataplane.md.
// For the programs of this package only.
#![allow(missing_docs, clippy::must_use_candidate)]

pub mod agent;
pub mod application;
pub mod bare_qemu;
pub mod boot;
pub mod cni;
pub mod device;
pub mod doctor;
pub mod domain;
pub mod framework;
pub mod guest;
pub mod http;
mod inside;
pub mod libvirt;
pub mod logs;
mod machine;
pub mod multus;
pub mod network;
pub mod node;
pub mod pod;
pub mod probe;
pub mod process;
pub mod prometheus;
pub mod sandbox;
pub mod suite;
pub mod switch;
pub mod vm;
pub mod wait;
