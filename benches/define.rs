//! The pure path of a hook call: VMI and domain in, domain out, no IO.

#![allow(missing_docs, clippy::unwrap_used)]

mod inputs;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use network_vhostuser_binding::attachment::Attachment;
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

/// The demo's attachments in turn, each with its own socket.
fn all_attachments(names: &[String]) -> Attachments {
    let kinds: Vec<_> = attachments().into_values().collect();
    let attachment = |(name, kind): (&String, &Attachment)| {
        let socket = ComputePath::file(&format!("/run/{name}/vhost.sock")).unwrap();
        (name.parse().unwrap(), Attachment { socket, mac: None, ..kind.clone() })
    };
    names.iter().zip(kinds.iter().cycle()).map(attachment).collect()
}

fn answer(vmi: &[u8], domain: &str, attachments: &Attachments, config: &NicConfig) -> String {
    let vmi = Vmi::parse(vmi).unwrap();
    let prepared = define::prepare(&vmi, domain.as_bytes(), config).unwrap().unwrap();
    prepared.define(attachments, &Attachments::new(), config).unwrap().xml
}

/// Linear: within each group, the throughput is about the same for every size.
fn pure_path(criterion: &mut Criterion) {
    let (config, attachments) = (config(), attachments());
    let mut group = criterion.benchmark_group("define, by size");
    let sizes = [("3 KiB", 0), ("8 KiB", 8 << 10), ("100 KiB", 100 << 10), ("1 MiB", 1 << 20)];
    for (name, size) in sizes {
        let domain = inputs::domain(size);
        group.throughput(Throughput::Bytes(domain.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| answer(inputs::VMI.as_bytes(), black_box(&domain), &attachments, &config));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("define, by attributes of one element");
    for count in [200, 2_000, 20_000] {
        let domain = inputs::wide_domain(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| answer(inputs::VMI.as_bytes(), black_box(&domain), &attachments, &config));
        });
    }
    group.finish();
}

fn many_nics(criterion: &mut Criterion) {
    let config = config();
    let mut group = criterion.benchmark_group("define, by NICs");
    for count in [10, 100, 1_000] {
        let names = inputs::networks(count);
        let (vmi, attachments) = (inputs::vmi(&names), all_attachments(&names));
        let first = answer(vmi.as_bytes(), &inputs::domain(0), &attachments, &config);
        group.throughput(Throughput::Elements(count as u64));
        for (call, domain) in [("new", inputs::domain(0)), ("already there", first)] {
            group.bench_function(BenchmarkId::new(call, count), |bencher| {
                bencher.iter(|| answer(vmi.as_bytes(), black_box(&domain), &attachments, &config));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pure_path, many_nics);
criterion_main!(benches);
