//! The libvirt domain: read as byte ranges, edited by splicing.
//!
//! Everything outside our own elements is copied byte for byte: namespaces, quoting, white space, comments, elements
//! that no schema knows. *Not* preserved: the content of an `<interface>` under one of our aliases, except its
//! `<address>`; `host_mtu` properties of our NICs in a `<qemu:override>`.
//!
//! Every step takes time linear in the size of the domain and the number of NICs: a hook call that takes seconds
//! keeps `Info` from being answered, and virt-launcher gives up.
//!
//! Knows nothing of KubeVirt, of files or of the hook protocol.

mod check;
mod conflicts;
mod document;
mod error;
mod fragment;
mod interfaces;
mod layout;
mod libvirt;
mod memory;
mod nic;
mod overrides;
mod placing;
mod qemu_override;
mod rewrite;
mod splice;
mod xml;

pub use error::DomainError;
pub use libvirt::Domain;
pub use nic::{Model, Nic, NicOptions};
pub use xml::XmlError;
