//! What is sent: the demo's VM, and its domain with more devices or a very wide element.

/// The demo's VM, with two NICs of ours.
pub(crate) const VMI: &str = include_str!("../../../examples/demo/vmi.json");

/// Where its sockets are.
pub(crate) const NETWORK_INFO: &str = include_str!("../../../examples/demo/network-info.json");

const DOMAIN: &str = include_str!("../../../examples/demo/domain.xml");

/// Attributes of the wide element.
const WIDE: usize = 2000;

/// Each domain with its name.
pub(crate) fn domains() -> Vec<(&'static str, String)> {
    vec![
        ("3 KiB", DOMAIN.to_owned()),
        ("8 KiB", grown(8 << 10)),
        ("100 KiB", grown(100 << 10)),
        ("2,000 attributes", wide()),
    ]
}

/// The demo's domain with as many more disks as it takes to have at least `size` bytes.
fn grown(size: usize) -> String {
    let mut disks = String::new();
    for number in 0.. {
        if DOMAIN.len() + disks.len() >= size {
            break;
        }
        disks += &disk(number);
    }
    with(&disks)
}

fn wide() -> String {
    let attributes: String = (0..WIDE).map(|number| format!(" a{number}=\"x\"")).collect();
    with(&format!("\t\t<wide{attributes}></wide>\n"))
}

fn with(devices: &str) -> String {
    let at = DOMAIN.find("\t\t<serial").unwrap_or(DOMAIN.len());
    let (before, after) = DOMAIN.split_at(at);
    format!("{before}{devices}{after}")
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
