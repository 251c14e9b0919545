//! Domains of any size up to the limit fit into the memory that KubeVirt gives a sidecar, and are answered.

use std::fmt::Write as _;

use crate::{DOMAIN, VMI, pod::Pod, sidecar::limited};
use launcher_sim::Layout;

/// KubeVirt's default memory limit of a hook sidecar, in bytes.
const LIMIT: u64 = 64_000_000;

/// The demo's domain with as many more elements of this kind as it takes to have at least `size` bytes.
fn domain(size: usize, element: fn(&mut String, usize)) -> String {
    let (before, after) = DOMAIN.split_once("\t\t<serial").unwrap();
    let mut xml = before.to_owned();
    for number in 0.. {
        if xml.len() + after.len() >= size {
            break;
        }
        element(&mut xml, number);
    }
    xml + "\t\t<serial" + after
}

fn disk(xml: &mut String, number: usize) {
    let alias = format!("<alias name=\"ua-volume-{number}\"></alias>");
    writeln!(xml, "\t\t<disk device=\"disk\">\n\t\t\t<source dev=\"/dev/v{number}\"></source>\n\t\t\t{alias}\n\t\t</disk>")
        .unwrap();
}

/// The most offsets that so many bytes can ask for.
fn attributes(xml: &mut String, _: usize) {
    xml.push_str("<a");
    for letter in 'a'..='z' {
        write!(xml, " {letter}=''").unwrap();
    }
    xml.push_str("/>");
}

#[tokio::test]
async fn large_domains_fit_into_a_sidecars_memory() {
    for (size, element) in
        [(1_000_000, disk as fn(&mut String, usize)), (1_000_000, attributes), (4_100_000, attributes)]
    {
        limited(async {
            let pod = Pod::with_network_info(Layout::PerSidecar);
            let sidecar = pod.sidecar().start().await;
            let domain = domain(size, element);
            let before = sidecar.peak_memory();
            for _ in 0..3 {
                let answer = sidecar.client().on_define_domain(domain.as_str(), VMI).await.unwrap();
                assert!(answer.len() > domain.len() && answer.contains("ua-dpdk1"));
            }
            let peak = sidecar.peak_memory();
            eprintln!("VmHWM: {before} bytes before, {peak} after calls with {} bytes", domain.len());
            assert!(peak < LIMIT, "{peak}");
        })
        .await;
    }
}
