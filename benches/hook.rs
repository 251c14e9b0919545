//! A hook call as virt-launcher makes it: over a real socket, on a new connection each time.

#![allow(missing_docs, clippy::unwrap_used)]

mod inputs;
mod sidecar;

use std::{process::Stdio, thread::sleep, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Builder;

fn calls(criterion: &mut Criterion) {
    let pod = sidecar::Pod::new();
    let mut process = pod.command(&sidecar::binary()).stderr(Stdio::null()).spawn().unwrap();
    while !pod.socket().exists() {
        assert!(process.try_wait().unwrap().is_none(), "the sidecar ended");
        sleep(Duration::from_millis(1));
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = pod.client();
    let mut group = criterion.benchmark_group("hook call");
    group.bench_function("Info", |bencher| bencher.iter(|| runtime.block_on(client.info()).unwrap()));
    for (name, size) in [("OnDefineDomain, 8 KiB", 8 << 10), ("OnDefineDomain, 100 KiB", 100 << 10)] {
        let domain = inputs::domain(size);
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(client.on_define_domain(domain.as_str(), inputs::VMI)).unwrap());
        });
    }
    group.finish();
    runtime.block_on(client.shutdown()).unwrap();
    assert!(process.wait().unwrap().success());
}

criterion_group!(benches, calls);
criterion_main!(benches);
