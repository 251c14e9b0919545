//! Tests of the stand-in for virt-launcher: a wrong launcher would make every other test prove the wrong
//! thing.

#![allow(unreachable_pub, clippy::expect_used, clippy::panic)]

mod boot;
mod calls;
mod devices;
mod reduce;
mod stub;

/// KubeVirt's domain for one NIC of its own and one of ours, which it leaves out.
const DOMAIN: &str = include_str!("../../../../tests/fixtures/01-single-plus-masquerade/domain.xml");

/// Puts `interface` after the only interface of [`DOMAIN`].
fn with_interface(interface: &str) -> String {
    DOMAIN.replacen("</interface>", &format!("</interface>\n\t\t{interface}"), 1)
}

/// The one element that starts with `start`, up to its end tag.
fn block<'a>(xml: &'a str, start: &str, end: &str) -> &'a str {
    assert_eq!(xml.matches(start).count(), 1, "{start} in {xml}");
    let from = xml.find(start).expect("just counted");
    let to = xml[from..].find(end).expect("the element ends") + end.len();
    &xml[from..from + to]
}
