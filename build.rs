//! Compiles `proto/`: of the hooks and of the device plugin API the server half for the crate, of what the kubelet
//! serves the client half; the opposite halves are for the tests and the demo. `protox` parses the files, so no
//! `protoc` has to be installed.

use std::{env, error::Error, fs, path::PathBuf};

const APIS: [(&str, &[&str]); 2] = [
    ("proto/hooks", &["proto/hooks/info.proto", "proto/hooks/v1alpha3.proto"]),
    ("proto/kubelet", &["proto/kubelet/deviceplugin.proto", "proto/kubelet/podresources.proto"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (folder, files) in APIS {
        let descriptors = protox::compile(files, [folder])?;
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
    }
    Ok(())
}
