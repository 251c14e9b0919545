//! Generates the client side of KubeVirt's hooks. `protox` parses the files, so no `protoc` has to be installed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../proto/hooks");
    let descriptors =
        protox::compile(["info.proto", "plugins.proto", "v1alpha3.proto"], ["../../proto/hooks"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_client(true)
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
