//! Generates the server side of KubeVirt's hooks. `protox` parses the files, so no `protoc` has to be installed.

use std::{env, error::Error, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../proto/hooks");
    let descriptors = protox::compile(["info.proto", "v1alpha3.proto"], ["../../proto/hooks"])?;
    tonic_prost_build::configure()
        .build_server(true)
        .build_client(false)
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    let version = Command::new(env::var("RUSTC")?).arg("--version").output()?;
    println!("cargo::rustc-env=RUSTC_VERSION={}", String::from_utf8(version.stdout)?.trim());
    Ok(())
}
