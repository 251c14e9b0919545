//! The pure path of a hook call: VMI and domain in, domain out, no IO.

#![allow(missing_docs, clippy::unwrap_used)]

mod inputs;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use network_vhostuser_binding::config::{Layout, NicConfig, NicDefaults};
use network_vhostuser_binding::define;
use network_vhostuser_binding::downwardapi::NetworkInfo;
use network_vhostuser_binding::plan::Attachments;
use network_vhostuser_binding::vmi::Vmi;
use vocabulary::ComputePath;

fn config() -> NicConfig {
    let hooks = "/var/run/kubevirt-hooks";
    let layout = Layout::new(hooks.into(), &ComputePath::directory(hooks).unwrap(), None);
    NicConfig::new(None, layout, NicDefaults::default())
}

fn attachments() -> Attachments {
    let info = NetworkInfo::parse(inputs::NETWORK_INFO.as_bytes(), "network-info").unwrap();
    let attachment = |name: &str| {
        let network = name.parse().unwrap();
        let attachment = info.attachment(&network).unwrap().unwrap();
        (network, attachment)
    };
    ["dpdk0", "dpdk1"].map(attachment).into()
}

fn answer(vmi: &[u8], domain: &[u8], attachments: &Attachments, config: &NicConfig) -> String {
    let vmi = Vmi::parse(vmi).unwrap();
    let prepared = define::prepare(&vmi, domain, config).unwrap().unwrap();
    prepared.define(attachments, &Attachments::new(), config).unwrap().xml
}

fn pure_path(criterion: &mut Criterion) {
    let (config, attachments) = (config(), attachments());
    let mut group = criterion.benchmark_group("define");
    // Linear in size: the throughput is the same for all of them.
    for (name, size) in [("8 KiB", 8 << 10), ("100 KiB", 100 << 10), ("1 MiB", 1 << 20)] {
        let domain = inputs::domain(size);
        group.throughput(Throughput::Bytes(domain.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), domain.as_bytes(), |bencher, domain| {
            bencher
                .iter(|| answer(black_box(inputs::VMI.as_bytes()), black_box(domain), &attachments, &config));
        });
    }
    group.finish();
}

criterion_group!(benches, pure_path);
criterion_main!(benches);
