//! What the benches feed on: the demo's VM, and its domain blown up with more devices.
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
