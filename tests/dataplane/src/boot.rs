//! What virt-launcher does with libvirt and the hook to start a VM, and to prepare a migration target.

use anyhow::{Context, Result, ensure};
use roxmltree::{Document, Node};

use crate::pod::Pod;
use crate::wait::{seconds, until};
use launcher_sim::{
    placeholders_for, reduce, reduce_keeping_qemu_commandline, with_placeholders, with_root_ports,
};

/// Where the last call's input comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Redefine {
    /// The second answer, cut down to KubeVirt's structs: releases up to 1.9.
    Reduced,
    /// libvirt's inactive XML, cut down: our NIC comes back with the PCI address that libvirt gave it. Main.
    WithAddresses,
}

/// The three calls of one boot, each answer defined as it is. Returns the answer that runs.
pub fn define(pod: &Pod, redefine: Redefine) -> Result<String> {
    let converted = pod.vm.domain_xml();
    let domain = pod.vm.domain();
    let with_placeholders = with_placeholders(&converted, placeholders_for(pod.vm.nics.len()));
    call_and_define(pod, &with_placeholders).context("first call")?;

    let second = with_devices_of(&converted, &reduce(&pod.libvirt.inactive_xml(&domain)?))?;
    let answer = call_and_define(pod, &second).context("second call")?;

    let held = match redefine {
        Redefine::Reduced => reduce(&answer),
        Redefine::WithAddresses => reduce_keeping_qemu_commandline(&pod.libvirt.inactive_xml(&domain)?),
    };
    call_and_define(pod, &with_root_ports(&held, 2)).context("third call")
}

fn call_and_define(pod: &Pod, input: &str) -> Result<String> {
    let answer = pod.defined(input)?;
    pod.libvirt.define(&answer)?;
    Ok(answer)
}

/// The converter's domain with every device but the interfaces replaced by what libvirt has made of it.
fn with_devices_of(converted: &str, from_libvirt: &str) -> Result<String> {
    let (converted_tree, libvirt_tree) = (Document::parse(converted)?, Document::parse(from_libvirt)?);
    let old = devices(&converted_tree)?;
    let is_interface = |node: &Node<'_, '_>| node.has_tag_name("interface");
    let interfaces = old.children().filter(is_interface).map(|node| &converted[node.range()]);
    let others = devices(&libvirt_tree)?.children().filter(|node| node.is_element() && !is_interface(node));
    let others = others.map(|node| &from_libvirt[node.range()]);
    let all: Vec<_> = interfaces.chain(others).collect();
    let devices = format!("<devices>\n\t\t{}\n\t</devices>", all.join("\n\t\t"));
    Ok([&converted[..old.range().start], &devices, &converted[old.range().end..]].concat())
}

fn devices<'a, 'i>(tree: &'a Document<'i>) -> Result<Node<'a, 'i>> {
    tree.root_element().children().find(|node| node.has_tag_name("devices")).context("a domain has <devices>")
}

/// Defines and starts the VM and waits until the guest's user space runs.
pub fn boot(pod: &Pod) -> Result<String> {
    let xml = define(pod, Redefine::Reduced)?;
    start(pod)?;
    Ok(xml)
}

pub fn start(pod: &Pod) -> Result<()> {
    pod.forget_console();
    pod.libvirt.start(&pod.vm.domain())?;
    await_guest(pod)
}

pub fn await_guest(pod: &Pod) -> Result<()> {
    until("the guest to come up", seconds(90), || pod.console().contains("GUEST-READY") || !runs(pod))?;
    ensure!(runs(pod), "QEMU has ended: {}", last_line(&pod.libvirt.qemu_log(&pod.vm.domain())));
    Ok(())
}

fn runs(pod: &Pod) -> bool {
    pod.libvirt.state(&pod.vm.domain()).starts_with("running")
}

fn last_line(log: &str) -> &str {
    log.lines().last().unwrap_or_default()
}
