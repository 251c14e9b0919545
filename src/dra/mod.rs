//! DRA device metadata (KEP-5304): what a driver publishes of a claim's devices, as a container that references the
//! claim sees it.

mod wire;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::attachment::{Attachment, FileError, Problem};
use crate::vmi::{Claim, ClaimKind};
use host_io::source_file;
use vocabulary::{ComputePath, SocketMode};

/// File name suffix; the driver's name precedes it.
const SUFFIX: &str = "-metadata.json";

/// The folder of a claim's request below the metadata folder.
///
/// `resourceclaimtemplates/<pod claim>/<request>` for a claim made from a template,
/// `resourceclaims/<claim>/<request>` for one named directly.
fn folder(claim: &Claim) -> Result<PathBuf, Problem> {
    let (kind, name) = match &claim.kind {
        None => return Err(Problem::UnknownClaim(claim.pod_claim.clone())),
        Some(ClaimKind::Template) => ("resourceclaimtemplates", &claim.pod_claim),
        Some(ClaimKind::Direct(name)) => ("resourceclaims", name),
    };
    for part in [name, &claim.request] {
        if !is_component(part) {
            return Err(Problem::BadName(part.clone()));
        }
    }
    Ok([kind, name, &claim.request].iter().collect())
}

fn is_component(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/') && !name.chars().any(char::is_control)
}

/// One file of a request's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// Its path, for messages.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Reads a claim's metadata below the metadata folder once; waiting is the caller's.
pub(crate) fn read(dra_dir: &Path, claim: &Claim) -> Result<Attachment, FileError> {
    let folder = folder(claim).map_err(|problem| at(dra_dir, problem))?;
    let folder = dra_dir.join(folder);
    let files = metadata_files(&folder).map_err(|problem| at(&folder, problem))?;
    let files = files.iter().map(|path| read_file(path).map_err(|problem| at(path, problem)));
    parse(&folder, &files.collect::<Result<Vec<_>, _>>()?, &claim.request)
}

fn read_file(path: &Path) -> Result<MetadataFile, Problem> {
    let bytes = source_file::read(path)?.ok_or(Problem::Missing)?;
    Ok(MetadataFile { name: path.display().to_string(), bytes })
}

/// The attachment in a request's files. `folder` is their folder, named where no single file is to blame.
pub fn parse(folder: &Path, files: &[MetadataFile], request: &str) -> Result<Attachment, FileError> {
    let mut devices = Vec::new();
    let mut listed = false;
    for MetadataFile { name, bytes } in files {
        let failed = |problem| FileError { file: name.clone(), problem };
        if let Some(found) = wire::devices(bytes, request).map_err(failed)? {
            listed = true;
            devices.extend(found.into_iter().map(|device| (name, device)));
        }
    }
    if !listed {
        return Err(at(folder, Problem::NotListed));
    }
    match devices.as_slice() {
        [(name, device)] => {
            attachment(device, name).map_err(|problem| FileError { file: (*name).clone(), problem })
        }
        devices => Err(at(folder, wrong_count(request, devices))),
    }
}

fn at(path: &Path, problem: Problem) -> FileError {
    FileError { file: path.display().to_string(), problem }
}

/// The metadata files in a request's folder, in the order of their names.
fn metadata_files(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Problem::Missing),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_metadata = |path: &PathBuf| path.as_os_str().as_encoded_bytes().ends_with(SUFFIX.as_bytes());
    let mut files: Vec<_> = paths.into_iter().filter(is_metadata).collect();
    if files.is_empty() {
        return Err(Problem::Missing);
    }
    files.sort();
    Ok(files)
}

fn wrong_count(request: &str, devices: &[(&String, wire::Device)]) -> Problem {
    let names: Vec<String> = devices.iter().map(|(_, device)| device.title()).collect();
    let list = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    Problem::Devices { request: request.to_owned(), count: devices.len(), list }
}

/// The OVS-DPDK driver connects its port to the socket, so the guest listens; the metadata cannot express the opposite.
fn attachment(device: &wire::Device, file: &str) -> Result<Attachment, Problem> {
    let path = device.text("vhost-user-path")?;
    Ok(Attachment {
        socket: ComputePath::file(&path)
            .map_err(|error| Problem::Path { field: "attribute vhost-user-path", error })?,
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

    fn file(name: &str, content: &str) -> MetadataFile {
        MetadataFile { name: name.to_owned(), bytes: content.into() }
    }

    fn read_one(content: &str) -> Result<Attachment, String> {
        parse(Path::new("f"), &[file("f/d", content)], "r").map_err(|error| error.problem.to_string())
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
            "unknown metadata versions 'metadata.resource.k8s.io/v2', 'metadata.resource.k8s.io/v3', expected \
             metadata.resource.k8s.io/v1beta1, metadata.resource.k8s.io/v1alpha1: use a sidecar release that supports this \
             Kubernetes version"
        );
    }

    #[test]
    fn what_may_still_come() {
        assert_eq!(read_one("").unwrap_err(), "is empty");
        assert_eq!(read_one("{\"apiVersion\":").unwrap_err(), "is not complete JSON (line 1, column 14)");
        let other = object("v1alpha1", DEVICE).replace("\"r\"", "\"s\"");
        assert_eq!(read_one(&other).unwrap_err(), "does not list it");
    }

    #[test]
    fn reads_metadata_files_only() {
        let dir = tempfile::tempdir().unwrap();
        let claim = Claim { pod_claim: "pc".into(), request: "r".into(), kind: Some(ClaimKind::Template) };
        let folder = dir.path().join("resourceclaimtemplates/pc/r");
        let missing = Err(at(&folder, Problem::Missing));
        assert_eq!(read(dir.path(), &claim), missing);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("unrelated.json"), "x").unwrap();
        assert_eq!(read(dir.path(), &claim), missing);
        let file = folder.join("d.example-metadata.json");
        fs::write(&file, object("v1beta1", DEVICE)).unwrap();
        assert_eq!(read(dir.path(), &claim).unwrap().file, file.display().to_string());
    }

    /// Not the first one, unless it is.
    #[test]
    fn the_file_that_says_it_is_named() {
        let (other, own) = (object("v1beta1", ""), object("v1beta1", DEVICE));
        let files = |last: &str| [file("f/a", &other), file("f/b", last), file("f/c", &other)];
        let of = |files: &[MetadataFile]| parse(Path::new("f"), files, "r");
        assert_eq!(of(&files(&own)).unwrap().file, "f/b");
        let file_of = |last: &str| of(&files(last)).unwrap_err().file;
        assert_eq!(file_of(&own.replace("9000", "\"x\"")), "f/b");
        assert_eq!(file_of("{"), "f/b");
        assert_eq!(file_of(&other), "f");
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
        let of = |kind| folder(&claim(kind)).map_err(|problem| problem.to_string());
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
