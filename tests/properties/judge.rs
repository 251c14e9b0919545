//! An independent look at an answer, with another parser and with nothing of the sidecar's code.

use proptest::test_runner::TestCaseError;
use roxmltree::{Document, Node};

use crate::{
    domain::QEMU,
    vm::{Interface, NicRequest, Vm, pod_interface},
};

pub type Judged = Result<(), TestCaseError>;

macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(TestCaseError::fail(format!($($text)+)));
        }
    };
}

/// Everything that the answer to a call must be, whatever the input was.
pub fn judge(vm: &Vm, given: &str, answer: &str) -> Judged {
    let given = Document::parse(given).unwrap();
    let answer =
        Document::parse(answer).map_err(|error| TestCaseError::fail(format!("not well-formed: {error}")))?;
    for (interface, wish) in vm.nics() {
        nic(vm, interface, wish, &given, &answer)?;
        mtu(interface, wish, &answer)?;
        place(vm, &interface.name, &given, &answer)?;
    }
    memory(&given, &answer)
}

/// Our NICs in their order, with all they have, and their MTUs.
pub fn nics(vm: &Vm, answer: &str) -> Vec<String> {
    let document = Document::parse(answer).unwrap();
    let aliases: Vec<_> = vm.nics().map(|(interface, _)| format!("ua-{}", interface.name)).collect();
    let ours = |name: Option<&str>| name.is_some_and(|name| aliases.iter().any(|alias| alias == name));
    let nics = interfaces(&document).into_iter().filter(|found| ours(alias(*found)));
    let mtus = document.descendants().filter(|node| {
        node.has_tag_name((QEMU, "property"))
            && node
                .ancestors()
                .any(|device| device.has_tag_name((QEMU, "device")) && ours(device.attribute("alias")))
    });
    nics.chain(mtus).map(whole).collect()
}

/// Names and attributes, with those of all that is inside, in the order of the names.
fn whole(node: Node<'_, '_>) -> String {
    let mut inside: Vec<_> = node.children().filter(Node::is_element).map(whole).collect();
    inside.sort();
    format!("{} {:?} [{}]", node.tag_name().name(), attributes(node), inside.concat())
}

fn children<'a, 'i>(parent: Node<'a, 'i>, name: &str) -> Vec<Node<'a, 'i>> {
    parent.children().filter(|child| child.has_tag_name(name)).collect()
}

fn only<'a, 'i>(parent: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, TestCaseError> {
    let found = children(parent, name);
    ensure!(found.len() == 1, "{} times {name} in {:?}", found.len(), parent.tag_name());
    Ok(found[0])
}

fn devices<'a, 'i>(domain: &'a Document<'i>) -> Node<'a, 'i> {
    only(domain.root_element(), "devices").unwrap()
}

pub fn interfaces<'a, 'i>(domain: &'a Document<'i>) -> Vec<Node<'a, 'i>> {
    children(devices(domain), "interface")
}

pub fn alias<'a>(interface: Node<'a, '_>) -> Option<&'a str> {
    interface.children().find(|child| child.has_tag_name("alias"))?.attribute("name")
}

fn with_alias<'a, 'i>(domain: &'a Document<'i>, name: &str) -> Vec<Node<'a, 'i>> {
    let wanted = format!("ua-{name}");
    interfaces(domain).into_iter().filter(|found| alias(*found) == Some(&wanted)).collect()
}

fn attributes<'a>(node: Node<'a, '_>) -> Vec<(&'a str, &'a str)> {
    node.attributes().map(|attribute| (attribute.name(), attribute.value())).collect()
}

fn nic(
    vm: &Vm,
    interface: &Interface,
    wish: &NicRequest,
    given: &Document<'_>,
    answer: &Document<'_>,
) -> Judged {
    let name = &interface.name;
    let found = with_alias(answer, name);
    ensure!(found.len() == 1, "{name} is there {} times", found.len());
    let node = found[0];
    ensure!(attributes(node) == [("type", "vhostuser")], "{name}: {:?}", attributes(node));
    let source = only(node, "source")?;
    let path = wish.expected_path(name);
    let wanted = [("type", "unix"), ("path", path.as_str()), ("mode", wish.mode())];
    ensure!(attributes(source) == wanted, "{name}: source {:?}", attributes(source));
    let reconnect: Vec<_> = children(source, "reconnect").into_iter().flat_map(attributes).collect();
    let wanted = if wish.client { vec![("enabled", "yes"), ("timeout", "1")] } else { vec![] };
    ensure!(reconnect == wanted, "{name}: reconnect {reconnect:?}");

    let queues = vm.queues().map(|queues| queues.to_string());
    let mut driver = vec![("name", "vhost")];
    driver.extend(queues.as_deref().map(|queues| ("queues", queues)));
    driver.extend([("rx_queue_size", "1024"), ("tx_queue_size", "1024")]);
    let mac = wish.expected_mac(name);
    let boot = wish.boot_order.map(|order| order.to_string());
    let acpi = (wish.acpi_index > 0).then(|| wish.acpi_index.to_string());
    let alias = format!("ua-{name}");
    let parts = [
        ("mac", Some(vec![("address", mac.as_str())])),
        ("model", Some(vec![("type", "virtio-non-transitional")])),
        ("driver", Some(driver)),
        ("link", wish.link_down.then(|| vec![("state", "down")])),
        ("boot", boot.as_deref().map(|order| vec![("order", order)])),
        ("rom", boot.is_none().then(|| vec![("enabled", "no")])),
        ("acpi", acpi.as_deref().map(|index| vec![("index", index)])),
        ("alias", Some(vec![("name", alias.as_str())])),
        ("mtu", None),
        ("target", None),
        ("backend", None),
    ];
    let known = ["source", "address"].into_iter().chain(parts.iter().map(|(part, _)| *part));
    let known: Vec<_> = known.collect();
    let strange =
        node.descendants().filter(|part| part.parent() == Some(node) || part.parent() == Some(source));
    for part in strange.filter(Node::is_element) {
        let part = part.tag_name().name();
        ensure!(part == "reconnect" || known.contains(&part), "{name}: what is <{part}>?");
    }
    for (part, wanted) in parts {
        let found: Vec<_> = children(node, part).into_iter().map(attributes).collect();
        ensure!(found == Vec::from_iter(wanted), "{name}: {part} {found:?}");
    }
    address(name, wish, given, node)
}

/// The VMI's, else the one that was there.
fn address(name: &str, wish: &NicRequest, given: &Document<'_>, node: Node<'_, '_>) -> Judged {
    let found: Vec<_> = children(node, "address").into_iter().map(attributes).collect();
    let before = with_alias(given, name).into_iter().flat_map(|old| children(old, "address"));
    let wanted: Vec<_> = match wish.pci_address {
        Some("0000:81:1F.7") => vec![vec![
            ("type", "pci"),
            ("domain", "0x0000"),
            ("bus", "0x81"),
            ("slot", "0x1f"),
            ("function", "0x7"),
        ]],
        Some(other) => panic!("what is {other}?"),
        None => before.map(attributes).collect(),
    };
    ensure!(found == wanted, "{name}: address {found:?}, wanted {wanted:?}");
    Ok(())
}

fn mtu(interface: &Interface, wish: &NicRequest, answer: &Document<'_>) -> Judged {
    let alias = format!("ua-{}", interface.name);
    let below = |nodes: Vec<Node<'_, '_>>, name: &str| -> Vec<_> {
        let own = |node: &Node<'_, '_>| node.has_tag_name((QEMU, name));
        let ids = nodes.iter().flat_map(|node| node.children().filter(own)).map(|node| node.id());
        ids.filter_map(|id| answer.get_node(id)).collect()
    };
    let devices = below(below(vec![answer.root_element()], "override"), "device");
    let devices = devices.into_iter().filter(|device| device.attribute("alias") == Some(&alias)).collect();
    let properties = below(below(devices, "frontend"), "property").into_iter();
    let found: Vec<_> =
        properties.filter(|property| property.attribute("name") == Some("host_mtu")).collect();
    let values: Vec<_> =
        found.iter().map(|property| property.attribute("value").unwrap().to_owned()).collect();
    let wanted: Vec<_> = wish.mtu().map(|mtu| mtu.to_string()).into_iter().collect();
    ensure!(values == wanted, "{}: host_mtu {values:?}, wanted {wanted:?}", interface.name);
    Ok(())
}

/// A NIC that was there stays where it was; a new one has the neighbour that the VMI gives it.
fn place(vm: &Vm, name: &str, given: &Document<'_>, answer: &Document<'_>) -> Judged {
    let aliases = |domain| interfaces(domain).into_iter().map(alias).collect::<Vec<_>>();
    let (before, after) = (aliases(given), aliases(answer));
    let ours = |name: &str| format!("ua-{name}");
    if before.contains(&Some(&ours(name))) {
        let kept: Vec<_> = after.iter().filter(|alias| before.contains(alias)).collect();
        ensure!(kept.into_iter().eq(before.iter()), "old ones moved: {before:?} to {after:?}");
        return Ok(());
    }
    let at = after.iter().position(|alias| *alias == Some(&ours(name))).unwrap();
    let order = vm.order();
    let place = order.iter().position(|other| *other == name).unwrap();
    let is_there = |other: &&&str| after.contains(&Some(&ours(other)));
    let is_at = |index: Option<usize>, other: &str| {
        index.and_then(|index| after.get(index)).is_some_and(|alias| *alias == Some(&ours(other)))
    };
    let next_old = order[place + 1..].iter().find(|other| before.contains(&Some(&ours(other))));
    if let Some(previous) = order[..place].iter().rev().find(is_there) {
        ensure!(is_at(at.checked_sub(1), previous), "{name} is not behind {previous}: {after:?}");
    } else if let Some(next) = next_old {
        let new_between = after[at + 1..].iter().take_while(|alias| **alias != Some(&ours(next)));
        ensure!(
            new_between.into_iter().all(|alias| !before.contains(alias)),
            "{name} is not in front of {next}: {after:?}"
        );
    } else {
        ensure!(at == 0, "{name} is not the first: {after:?}");
        let last = devices(answer).children().rfind(Node::is_element).unwrap();
        ensure!(
            !before.is_empty() || last.has_tag_name("interface"),
            "without interfaces before, ours come last: {after:?}"
        );
    }
    Ok(())
}

fn memory(given: &Document<'_>, answer: &Document<'_>) -> Judged {
    let parts = |domain: &Document<'_>, name: &str, attribute: &str| -> Vec<Option<String>> {
        children(domain.root_element(), "memoryBacking")
            .into_iter()
            .flat_map(|backing| children(backing, name))
            .map(|part| part.attribute(attribute).map(str::to_owned))
            .collect()
    };
    let access = parts(answer, "access", "mode");
    ensure!(access == [Some("shared".to_owned())], "memory access {access:?}");
    let backed = !parts(given, "hugepages", "").is_empty();
    let before: Vec<_> = parts(given, "source", "type").into_iter().flatten().collect();
    let source: Vec<_> = parts(answer, "source", "type").into_iter().flatten().collect();
    let wanted = if before.is_empty() && !backed { vec!["memfd".to_owned()] } else { before };
    ensure!(source == wanted, "memory source {source:?}, wanted {wanted:?}");
    let cells = answer.root_element().children().filter(|node| node.has_tag_name("cpu"));
    let cells = cells.flat_map(|cpu| children(cpu, "numa")).flat_map(|numa| children(numa, "cell"));
    for cell in cells {
        ensure!(cell.attribute("memAccess") == Some("shared"), "a cell is not shared");
    }
    Ok(())
}

/// The link that a network must have, and no other.
pub fn is_safe_link(name: &str) -> bool {
    let digits = name.strip_prefix("pod").unwrap_or_default();
    digits.len() == 11 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

pub fn expected_links(vm: &Vm) -> Vec<(String, String)> {
    let mut links: Vec<_> = vm
        .nics()
        .map(|(interface, _)| (pod_interface(&interface.name), crate::vm::device_directory(&interface.name)))
        .collect();
    links.sort();
    links
}
