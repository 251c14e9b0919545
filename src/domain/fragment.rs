//! A NIC as canonical XML: one order, double quotes, no inner white space, independent of its surroundings. This is
//! why rewriting an answer returns the same answer.

use std::fmt::{self, Display, Write};

use super::nic::Nic;
use vocabulary::SocketMode;

/// `<interface type="vhostuser">…</interface>`. `kept_address` is the address element that the NIC had before, as it
/// was written; an address that the VMI asks for wins over it.
pub(super) fn interface(nic: &Nic, kept_address: Option<&str>) -> String {
    let mut xml = String::with_capacity(640);
    xml.push_str(r#"<interface type="vhostuser">"#);
    source(&mut xml, nic);
    if nic.options.target_dev {
        element(&mut xml, "target", &[("dev", &nic.network.pod_interface())]);
    }
    element(&mut xml, "mac", &[("address", &nic.mac)]);
    element(&mut xml, "model", &[("type", &nic.options.model.as_str())]);
    driver(&mut xml, nic);
    if nic.options.link_down {
        element(&mut xml, "link", &[("state", &"down")]);
    }
    if let Some(order) = nic.options.boot_order {
        element(&mut xml, "boot", &[("order", &order)]);
    }
    if nic.options.rom_off {
        element(&mut xml, "rom", &[("enabled", &"no")]);
    }
    if let Some(index) = nic.options.acpi_index {
        element(&mut xml, "acpi", &[("index", &index)]);
    }
    match (nic.options.pci_address, kept_address) {
        (Some(address), _) => {
            let [domain, bus, slot, function] = address.attributes();
            let parts: [(&str, &dyn Display); 5] = [
                ("type", &"pci"),
                (domain.0, &domain.1),
                (bus.0, &bus.1),
                (slot.0, &slot.1),
                (function.0, &function.1),
            ];
            element(&mut xml, "address", &parts);
        }
        (None, Some(address)) => xml.push_str(address),
        (None, None) => {}
    }
    element(&mut xml, "alias", &[("name", &nic.network.alias())]);
    xml.push_str("</interface>");
    xml
}

fn source(xml: &mut String, nic: &Nic) {
    let path = nic.socket.as_str();
    open(xml, "source", &[("type", &"unix"), ("path", &path), ("mode", &nic.mode)]);
    match nic.mode {
        SocketMode::Server => xml.push_str("/>"),
        SocketMode::Client => {
            xml.push('>');
            element(xml, "reconnect", &[("enabled", &"yes"), ("timeout", &nic.options.reconnect_timeout)]);
            xml.push_str("</source>");
        }
    }
}

fn driver(xml: &mut String, nic: &Nic) {
    open(xml, "driver", &[("name", &"vhost")]);
    if let Some(pairs) = nic.options.queue_pairs {
        attribute(xml, "queues", &pairs);
    }
    attribute(xml, "rx_queue_size", &nic.options.rx_queue_size);
    attribute(xml, "tx_queue_size", &nic.options.tx_queue_size);
    if nic.options.iommu {
        attribute(xml, "iommu", &"on");
    }
    xml.push_str("/>");
}

/// A self-closed element.
pub(super) fn element(xml: &mut String, name: &str, attributes: &[(&str, &dyn Display)]) {
    open(xml, name, attributes);
    xml.push_str("/>");
}

fn open(xml: &mut String, name: &str, attributes: &[(&str, &dyn Display)]) {
    xml.extend(["<", name]);
    for (name, value) in attributes {
        attribute(xml, name, *value);
    }
}

fn attribute(xml: &mut String, name: &str, value: &dyn Display) {
    xml.extend([" ", name, "=\""]);
    // A string takes whatever is written.
    let _ = write!(Escaped(xml), "{value}");
    xml.push('"');
}

/// Writes an attribute's value.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|b| matches!(b, b'&' | b'<' | b'>' | b'"')) {
            let entity = match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                _ => "&quot;",
            };
            self.0.extend([&rest[..at], entity]);
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}
