//! DRA device metadata (KEP-5304): what a driver publishes of a claim's devices, as a container that references the
//! claim sees it.

mod wire;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::attachment::{Attachment, NotReady, Problem, Refusal};
use crate::vmi::{Claim, ClaimKind};
use host_io::source_file;
use vocabulary::{ComputePath, SocketMode};

/// The file name's end; before it stands the driver's name, which may be any.
const SUFFIX: &str = "-metadata.json";

/// The folder of a claim's request below the metadata folder.
///
/// `resourceclaimtemplates/<pod claim>/<request>` for a claim made from a template,
/// `resourceclaims/<claim>/<request>` for one named directly.
pub fn folder(claim: &Claim) -> Result<PathBuf, Refusal> {
    let (kind, name) = match &claim.kind {
        None => return Err(Refusal::UnknownClaim(claim.pod_claim.clone())),
        Some(ClaimKind::Template) => ("resourceclaimtemplates", &claim.pod_claim),
        Some(ClaimKind::Direct(name)) => ("resourceclaims", name),
    };
    for part in [name, &claim.request] {
        if !is_component(part) {
            return Err(Refusal::BadName(part.clone()));
        }
    }
    Ok([kind, name, &claim.request].iter().collect())
}

fn is_component(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/') && !name.chars().any(char::is_control)
}

/// Reads a request's metadata once; waiting is the caller's.
pub fn read(folder: &Path, request: &str) -> Result<Attachment, Problem> {
    let mut devices = Vec::new();
    let mut listed = false;
    let files = metadata_files(folder)?;
    for file in &files {
        let bytes = source_file::read(file).map_err(Problem::unreadable)?;
        let bytes = bytes.ok_or(Problem::NotReady(NotReady::Missing))?;
        if let Some(found) = wire::devices(&bytes, request)? {
            listed = true;
            devices.extend(found);
        }
    }
    if !listed {
        return Err(Problem::NotReady(NotReady::NotListed));
    }
    match (devices.as_slice(), files.as_slice()) {
        ([device], [file, ..]) => attachment(device, &file.display().to_string()).map_err(Problem::Refused),
        (devices, _) => Err(Problem::Refused(count_refusal(request, devices))),
    }
}

/// The metadata files in a request's folder, in the order of their names.
fn metadata_files(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Problem::NotReady(NotReady::Missing));
        }
        Err(error) => return Err(Problem::unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Problem::unreadable)?;
        if entry.file_name().as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
            files.push(entry.path());
        }
    }
    if files.is_empty() {
        return Err(Problem::NotReady(NotReady::Missing));
    }
    files.sort();
    Ok(files)
}

fn count_refusal(request: &str, devices: &[wire::Device]) -> Refusal {
    let names: Vec<String> = devices.iter().map(wire::Device::title).collect();
    let list = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    Refusal::Devices { request: request.to_owned(), count: devices.len(), list }
}

/// The OVS-DPDK driver connects its port to the socket, so the guest listens; the metadata has no word for the
/// other way round.
fn attachment(device: &wire::Device, file: &str) -> Result<Attachment, Refusal> {
    let path = device.text("vhost-user-path")?;
    Ok(Attachment {
        socket: ComputePath::file(&path)
            .map_err(|error| Refusal::Path { field: "attribute vhost-user-path", error })?,
        mode: SocketMode::Server,
        mac: device.hardware_address(),
        mtu: device.optional_number("mtu")?,
        file: file.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = r#"{"driver":"d.example","pool":"n1","name":"p0","attributes":
        {"vhost-user-path":{"string":"/run/ovs/c/r/vhost.sock"},"mtu":{"int":9000}},
        "networkData":{"hardwareAddress":"02:00:00:00:00:07"}}"#;

    fn object(version: &str, devices: &str) -> String {
        format!(
            r#"{{"apiVersion":"metadata.resource.k8s.io/{version}","kind":"DeviceMetadata",
            "requests":[{{"name":"other","devices":[]}},{{"name":"r","devices":[{devices}]}}]}}"#
        )
    }

    fn read_one(content: &str) -> Result<Attachment, String> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("d.example-metadata.json"), content).unwrap();
        fs::write(dir.path().join("unrelated.json"), "x").unwrap();
        read(dir.path(), "r").map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_first_known_version_of_the_stream_counts() {
        let stream = [object("v2", ""), object("v1beta1", DEVICE), object("v1alpha1", ""), "{broken".into()]
            .join("\n");
        let found = read_one(&stream).unwrap();
        assert_eq!(found.socket.as_str(), "/run/ovs/c/r/vhost.sock");
        assert_eq!((found.mode, found.mtu), (SocketMode::Server, Some(9000)));
        assert_eq!(found.mac.as_deref(), Some("02:00:00:00:00:07"));
    }

    #[test]
    fn an_attribute_may_carry_its_domain() {
        let found =
            read_one(&object("v1alpha1", &DEVICE.replace("vhost-user-path", "d.example/vhost-user-path")));
        assert_eq!(found.unwrap().socket.as_str(), "/run/ovs/c/r/vhost.sock");
    }

    #[test]
    fn unknown_versions_are_named() {
        let stream = [object("v2", DEVICE), object("v3", DEVICE)].join("");
        assert_eq!(
            read_one(&stream).unwrap_err(),
            "metadata versions 'metadata.resource.k8s.io/v2', 'metadata.resource.k8s.io/v3' are not known, only \
             metadata.resource.k8s.io/v1beta1, metadata.resource.k8s.io/v1alpha1: use a sidecar that fits this Kubernetes"
        );
    }

    #[test]
    fn what_may_still_come() {
        assert_eq!(read_one("").unwrap_err(), "is empty");
        assert_eq!(read_one("{\"apiVersion\":").unwrap_err(), "is not complete JSON (line 1, column 14)");
        let other = object("v1alpha1", DEVICE).replace("\"r\"", "\"s\"");
        assert_eq!(read_one(&other).unwrap_err(), "does not list it");
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("none"), "r").unwrap_err().to_string(), "is missing");
        assert_eq!(read(dir.path(), "r").unwrap_err().to_string(), "is missing");
    }

    #[test]
    fn exactly_one_device() {
        assert_eq!(
            read_one(&object("v1alpha1", &[DEVICE, DEVICE].join(","))).unwrap_err(),
            "request 'r' has 2 devices ('d.example/n1/p0', 'd.example/n1/p0'): a vhost-user NIC takes exactly one, so set \
             the claim's count to 1"
        );
        assert_eq!(
            read_one(&object("v1alpha1", "")).unwrap_err(),
            "request 'r' has 0 devices: a vhost-user NIC takes exactly one, so set the claim's count to 1"
        );
    }

    #[test]
    fn attributes_are_checked() {
        let of = |device: &str| read_one(&object("v1alpha1", device)).unwrap_err();
        let writer = "fix what writes it (the DRA driver)";
        assert_eq!(
            of(r#"{"attributes":{"mtu":{"int":1500}}}"#),
            format!("attribute vhost-user-path is missing: {writer}")
        );
        assert_eq!(
            of(r#"{"attributes":{"vhost-user-path":{"int":1}}}"#),
            format!("attribute vhost-user-path is not a string: {writer}")
        );
        assert_eq!(
            of(&DEVICE.replace(r#"{"int":9000}"#, r#"{"string":"9000"}"#)),
            format!("attribute mtu is not a whole number: {writer}")
        );
        assert_eq!(
            of(&DEVICE.replace("/run/ovs/c/r/vhost.sock", "/run/../x")),
            "attribute vhost-user-path: path '/run/../x' contains '..': the device plugin or driver must publish the \
             socket's absolute path in the compute container"
        );
    }

    #[test]
    fn folders_follow_the_kind_of_claim() {
        let claim = |kind| Claim { pod_claim: "pc".into(), request: "r".into(), kind };
        let of = |kind| folder(&claim(kind)).map_err(|refusal| refusal.to_string());
        assert_eq!(of(Some(ClaimKind::Template)), Ok("resourceclaimtemplates/pc/r".into()));
        assert_eq!(of(Some(ClaimKind::Direct("c".into()))), Ok("resourceclaims/c/r".into()));
        assert_eq!(
            of(None),
            Err("spec.resourceClaims names no claim or template for 'pc': add it to the VM".into())
        );
        assert_eq!(
            of(Some(ClaimKind::Direct("../x".into()))),
            Err("'../x' cannot be part of a path: correct the VM's resourceClaim".into())
        );
    }
}
