//! The benches' inputs: the demo's VM, and larger ones made from it.
#![allow(dead_code, unreachable_pub)]

pub const VMI: &str = include_str!("../../examples/demo/vmi.json");
pub const NETWORK_INFO: &str = include_str!("../../examples/demo/network-info.json");

const DOMAIN: &str = include_str!("../../examples/demo/domain.xml");

/// The demo's domain with as many more disks as it takes to have at least `size` bytes. The NICs stay the same.
pub fn domain(size: usize) -> String {
    let at = DOMAIN.find("\t\t<serial").unwrap_or(DOMAIN.len());
    let (before, after) = DOMAIN.split_at(at);
    let mut xml = before.to_owned();
    for number in 0.. {
        if xml.len() + after.len() >= size {
            break;
        }
        xml += &disk(number);
    }
    xml + after
}

/// The demo's domain and an element with so many attributes.
pub fn wide_domain(count: usize) -> String {
    let attributes: String = (0..count).map(|number| format!(" a{number}=\"\"")).collect();
    DOMAIN.replacen("<devices>", &format!("<wide{attributes}/>\n\t<devices>"), 1)
}

/// The names of so many networks.
pub fn networks(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("net{number}")).collect()
}

/// A VMI with a NIC of ours on each of these networks.
pub fn vmi(networks: &[String]) -> String {
    let list =
        |entry: fn(&str) -> String| networks.iter().map(|name| entry(name)).collect::<Vec<_>>().join(",");
    let interfaces = list(|name| format!(r#"{{"name":"{name}","binding":{{"name":"vhostuser"}}}}"#));
    let networks = list(|name| format!(r#"{{"name":"{name}","multus":{{}}}}"#));
    format!(
        r#"{{"metadata":{{"namespace":"default","name":"vm"}},"spec":{{"networks":[{networks}],
            "domain":{{"devices":{{"interfaces":[{interfaces}]}}}}}}}}"#
    )
}

/// As KubeVirt writes one.
fn disk(number: usize) -> String {
    format!(
        "\t\t<disk device=\"disk\" type=\"block\" model=\"virtio-non-transitional\">\n\
         \t\t\t<source dev=\"/dev/volume-{number}\"></source>\n\
         \t\t\t<target bus=\"virtio\" dev=\"vd{number}\"></target>\n\
         \t\t\t<driver cache=\"none\" error_policy=\"stop\" name=\"qemu\" type=\"raw\" discard=\"unmap\"></driver>\n\
         \t\t\t<alias name=\"ua-volume-{number}\"></alias>\n\
         \t\t</disk>\n"
    )
}
