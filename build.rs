//! Compiles `proto/hooks/*.proto`: the server half for the crate, the client half for its tests and the demo.
//! `protox` parses the files, so no `protoc` has to be installed.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["proto/hooks/info.proto", "proto/hooks/v1alpha3.proto"];
    println!("cargo::rerun-if-changed=proto/hooks");
    let descriptors = protox::compile(files, ["proto/hooks"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (half, server) in [("server", true), ("client", false)] {
        let dir = out.join(half);
        fs::create_dir_all(&dir)?;
        tonic_prost_build::configure()
            .build_server(server)
            .build_client(!server)
            .build_transport(false)
            .emit_rerun_if_changed(false)
            .out_dir(dir)
            .compile_fds(descriptors.clone())?;
    }
    Ok(())
}
