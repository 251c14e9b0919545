//! The libvirt domain: read as byte ranges, edited by splicing.
//!
//! Everything outside our own elements comes out byte for byte as it went in: namespaces, quoting, white space,
//! comments, elements that no schema knows. *Not* preserved: what stood inside an `<interface>` under one of our
//! aliases, except its `<address>`; `host_mtu` properties of our NICs in a `<qemu:override>`.
//!
//! Knows nothing of KubeVirt, of files or of the hook protocol.

mod check;
mod document;
mod error;
mod fragment;
mod interface;
mod memory;
mod nic;
mod qemu_override;
mod splice;
mod xml;

pub use error::DomainError;
pub use nic::{Model, Nic};
pub use xml::XmlError;

use document::{Document, Node};
use splice::{Edit, Overlap, splice};
use vocabulary::{MacAddr, NetworkName};

/// A libvirt domain that can be given vhost-user NICs.
#[derive(Debug)]
pub struct Domain<'a> {
    document: Document<'a>,
    devices: usize,
}

impl<'a> Domain<'a> {
    /// Reads a domain: well-formed XML 1.0 in UTF-8 without a DOCTYPE, root `domain`, one `devices`.
    pub fn parse(xml: &'a [u8]) -> Result<Self, DomainError> {
        let document = xml::parse(xml)?;
        if document.root().name() != "domain" {
            return Err(DomainError::NotADomain("the root element is not <domain>"));
        }
        let mut lists = document.root().children_named("devices");
        let Some(devices) = lists.next().map(Node::index) else {
            return Err(DomainError::NotADomain("there is no <devices> in <domain>"));
        };
        if lists.next().is_some() {
            return Err(DomainError::NotADomain("there is more than one <devices> in <domain>"));
        }
        drop(lists);
        Ok(Self { document, devices })
    }

    /// The guest's architecture as libvirt calls it, from `os/type`.
    pub fn architecture(&self) -> Option<String> {
        let arch = self.root().child("os")?.child("type")?.attribute("arch")?;
        Some(arch.into_owned())
    }

    /// The MAC addresses of the interfaces, each with the interface's alias if it has one.
    pub fn macs(&self) -> Vec<(Option<String>, MacAddr)> {
        interface::macs(self)
    }

    /// The domain with exactly these NICs under their aliases, and with memory that a switch can map.
    ///
    /// `order` is the VMI's order of all its interfaces, by which a new NIC finds its place. Rewriting the result
    /// gives the result again. Without NICs the input comes back as it is.
    ///
    /// # Errors
    /// When memory is explicitly private, or when an alias or socket is already taken.
    pub fn rewrite(&self, nics: &[Nic], order: &[NetworkName]) -> Result<String, DomainError> {
        let Some(first) = nics.first() else {
            return Ok(self.document.text().to_owned());
        };
        interface::check_conflicts(self, nics)?;
        let mut edits = memory::edits(self, &first.network)?;
        edits.extend(interface::edits(self, nics, order));
        edits.extend(qemu_override::edits(self, nics));
        let answer = splice(self.document.text(), edits)
            .map_err(|Overlap| DomainError::BadResult("two edits want the same bytes"))?;
        check::answer(&answer, nics)?;
        Ok(answer)
    }

    fn root(&self) -> Node<'_> {
        self.document.root()
    }

    fn devices(&self) -> Node<'_> {
        self.document.node(self.devices)
    }
}

/// Puts elements behind the last child of `parent`, each on a line of its own if its siblings have one.
fn append_children(parent: Node<'_>, fragments: &[String]) -> Edit {
    if let Some(last) = parent.children().last() {
        let text = fragments.iter().flat_map(|xml| [last.lead(), xml.as_str()]).collect();
        return Edit::insert(last.range().end, text);
    }
    let inner: String = match parent.lead() {
        "" => fragments.concat(),
        lead => fragments.iter().flat_map(|xml| [lead, "\t", xml.as_str()]).chain([lead]).collect(),
    };
    if parent.is_self_closed() {
        Edit::replace(parent.range(), format!("{}>{inner}</{}>", parent.open_tag(), parent.name()))
    } else {
        Edit::insert(parent.content_end(), inner)
    }
}
