use std::borrow::Cow;

use super::{
    document::{Document, Node, alias},
    error::DomainError,
    xml,
};
use vocabulary::MacAddr;

/// The largest domain that is edited, in bytes. KubeVirt's have less than 200 KiB.
const BYTES_MAX: usize = 4 << 20;

/// A libvirt domain that can be given vhost-user NICs.
#[derive(Debug)]
pub struct Domain<'a> {
    document: Document<'a>,
    devices: usize,
}

impl<'a> Domain<'a> {
    /// Reads a domain: at most 4 MiB and 100,000 elements of well-formed XML 1.0 in UTF-8 without a DOCTYPE, with the
    /// root `domain` and one `devices` in it.
    pub fn parse(xml: &'a [u8]) -> Result<Self, DomainError> {
        check_size(xml)?;
        Self::of(xml::parse(xml)?)
    }

    /// [`Self::parse`] for what is known to be UTF-8.
    pub(super) fn parse_text(xml: &'a str) -> Result<Self, DomainError> {
        check_size(xml.as_bytes())?;
        Self::of(xml::parse_text(xml)?)
    }

    fn of(document: Document<'a>) -> Result<Self, DomainError> {
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
        let mac = |node: Node<'_>| node.child("mac")?.attribute("address")?.parse().ok();
        let interfaces = self.devices().children_named("interface");
        interfaces.filter_map(|node| Some((alias(node).map(Cow::into_owned), mac(node)?))).collect()
    }

    pub(super) fn document(&self) -> &Document<'a> {
        &self.document
    }

    pub(super) fn root(&self) -> Node<'_> {
        self.document.root()
    }

    pub(super) fn devices(&self) -> Node<'_> {
        self.document.node(self.devices)
    }
}

fn check_size(xml: &[u8]) -> Result<(), DomainError> {
    match xml.len() {
        0..=BYTES_MAX => Ok(()),
        bytes => Err(DomainError::TooLarge { bytes, max: BYTES_MAX }),
    }
}
