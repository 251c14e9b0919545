//! `render`: the hook's answer without a pod.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use expect_test::expect;
use tonic::Status;

use crate::{
    DOMAIN, VMI,
    program::{BINARY, Files, Outcome, Run, failed, printed},
};
use launcher_sim::Client;

/// A sidecar that reads the same files under the same names.
struct Hook {
    process: std::process::Child,
    client: Client,
}

impl Hook {
    fn start(files: &Files, flags: &[&str]) -> Self {
        let mut process = Command::new(BINARY)
            .env_clear()
            .args(flags)
            .arg(format!("--hook-dir={}", files.dir().display()))
            .arg("--network-info=network-info")
            .current_dir(files.dir())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = Client::new(files.path("vhostuser-hook-sidecar-3.sock"));
        while !client.socket().exists() {
            assert!(process.try_wait().unwrap().is_none());
            sleep(Duration::from_millis(5));
        }
        Self { process, client }
    }

    async fn answer(&self, files: &Files) -> Result<String, Status> {
        let read = |name| fs::read(files.path(name)).unwrap();
        self.client.on_define_domain(read("domain"), read("vmi")).await
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn prints_the_very_bytes_of_the_hook() {
    let files = Files::new();
    let flags = ["--container-name=hook-sidecar-3", "--rx-queue-size=256", "--target-dev"];
    let hook = Hook::start(&files, &flags);
    let render = || flags.iter().fold(files.render(), |run, flag| run.arg(flag)).outcome();
    for domain in [DOMAIN.to_owned(), DOMAIN.replace('\n', ""), DOMAIN.replace('\n', "\r\n")] {
        files.write("domain", &domain);
        let answer = hook.answer(&files).await.unwrap();
        assert_ne!(answer, domain);
        assert_eq!(render(), printed(answer));
    }
    // Refusals are the hook's, too. A VM of its own each time, so that the hook remembers nothing.
    let unlisted = r#"{"interfaces":[{"network":"dpdk0"}]}"#;
    for (name, content) in [("network-info", unlisted), ("domain", "<domain"), ("vmi", "{")] {
        files.write("vmi", VMI.replacen(r#""uid": "5"#, &format!(r#""uid": "{name}"#), 1));
        files.write(name, content);
        let refusal = hook.answer(&files).await.unwrap_err();
        assert_eq!(render(), failed(1, refusal.message()));
    }
}

const DIFF: &str = "\
--- domain before
+++ domain after
@@ -19,6 +19,7 @@
 \t\t<baseBoard></baseBoard>
 \t\t<chassis></chassis>
 \t</sysinfo>
+\t<memoryBacking><source type=\"memfd\"/><access mode=\"shared\"/></memoryBacking>
 \t<devices>
 \t\t<interface type=\"ethernet\">
 \t\t\t<source></source>
@@ -29,6 +30,8 @@
 \t\t\t<alias name=\"ua-default\"></alias>
 \t\t\t<rom enabled=\"no\"></rom>
 \t\t</interface>
+\t\t<interface type=\"vhostuser\"><source type=\"unix\" path=\"/var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod0234249e469/vhost.sock\" mode=\"server\"/><mac address=\"02:00:00:0a:00:00\"/><model type=\"virtio-non-transitional\"/><driver name=\"vhost\" rx_queue_size=\"1024\" tx_queue_size=\"1024\"/><rom enabled=\"no\"/><alias name=\"ua-dpdk0\"/></interface>
+\t\t<interface type=\"vhostuser\"><source type=\"unix\" path=\"/var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod34040c6f57d/vhost.sock\" mode=\"server\"/><mac address=\"02:00:00:0a:01:01\"/><model type=\"virtio-non-transitional\"/><driver name=\"vhost\" rx_queue_size=\"1024\" tx_queue_size=\"1024\"/><rom enabled=\"no\"/><alias name=\"ua-dpdk1\"/></interface>
 \t\t<channel type=\"unix\">
 \t\t\t<target name=\"org.qemu.guest_agent.0\" type=\"virtio\"></target>
 \t\t</channel>
@@ -82,4 +85,5 @@
 \t\t<vcpu id=\"2\" enabled=\"no\" hotpluggable=\"yes\"></vcpu>
 \t\t<vcpu id=\"3\" enabled=\"no\" hotpluggable=\"yes\"></vcpu>
 \t</vcpus>
+\t<qemu:override><qemu:device alias=\"ua-dpdk1\"><qemu:frontend><qemu:property name=\"host_mtu\" type=\"unsigned\" value=\"9000\"/></qemu:frontend></qemu:device></qemu:override>
 </domain>
\\ No newline at end of file
link /var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod0234249e469 -> /var/run/vhost-user/54ed0871
link /var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod34040c6f57d -> /var/run/vhost-user/d331da48
";

#[test]
fn diff_shows_the_changes_and_the_links() {
    assert_eq!(Files::new().render().arg("--diff").outcome(), printed(DIFF));
}

#[test]
fn a_vm_without_a_nic_of_ours_has_no_diff() {
    let files = Files::new();
    files.write("vmi", r#"{"metadata":{"name":"x"},"spec":{"domain":{}}}"#);
    assert_eq!(files.render().outcome(), printed(DOMAIN));
    assert_eq!(files.render().arg("--diff").outcome(), printed(""));
}

const VM: &str = "\
# A VM as a user would write it.
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: vmi-11
  namespace: default
spec:
  runStrategy: Always
  template:
    metadata:
      annotations:
        vhostuser.network/mtu.dpdk0: '1500'
        vhostuser.network/mtu.dpdk1: \"9000\"
    spec:
      domain:
        devices:
          interfaces:
          - {name: default, masquerade: {}}
          - name: dpdk0
            binding: {name: vhostuser}
          - name: dpdk1
            binding: {name: vhostuser}
      networks:
      - {name: default, pod: {}}
      - {name: dpdk0, multus: {networkName: ns1/dpdk}}
      - {name: dpdk1, multus: {networkName: ns1/dpdk}}
";

/// Name and namespace come from the VM: an address that is derived from them is the one the VM will have.
#[test]
fn a_vm_manifest_stands_for_its_template() {
    let files = Files::new();
    let expected = files.render().outcome();
    files.write("vmi", VM);
    assert_eq!(files.render().outcome(), expected);

    files.write("network-info", crate::NETWORK_INFO.replacen(r#""mac": "02:00:00:0a:00:00", "#, "", 1));
    let of_vm = files.render().outcome();
    files.write("vmi", VMI.replacen(r#""uuid": "50e49fa8-62a3-4d54-8355-9fa501eb4c9a""#, "", 1));
    assert_eq!(of_vm, files.render().outcome());
    assert!(!of_vm.stdout.contains("02:00:00:0a:00:00"));
}

/// The manifest that users copy.
#[test]
fn the_example_vm_gets_its_nics() {
    let files = Files::new();
    files.write("vmi", include_str!("../../examples/vm-two-nics.yaml"));
    files.write("network-info", crate::NETWORK_INFO.replace("9000", "1500"));
    let outcome = files.render().outcome();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    for alias in ["ua-dpdk0", "ua-dpdk1"] {
        assert_eq!(outcome.stdout.matches(&format!(r#"<alias name="{alias}"/>"#)).count(), 1);
    }
    assert_eq!(outcome.stdout.matches(r#"<driver name="vhost" queues="4" "#).count(), 2);
    assert_eq!(outcome.stdout.matches(r#"name="host_mtu" type="unsigned" value="9000""#).count(), 1);
}

/// The same object in each form: JSON, YAML, wrapped in a VM or not.
#[test]
fn json_and_yaml_say_the_same() {
    let files = Files::new();
    let expected = files.render().outcome();
    assert_eq!(expected.code, Some(0));
    let vmi: serde_json::Value = serde_json::from_str(VMI).unwrap();
    let vm = serde_json::json!({
        "kind": "VirtualMachine",
        "metadata": {"name": "vmi-11", "namespace": "default"},
        "spec": {"template": {"metadata": {}, "spec": vmi["spec"]}},
    });
    // JSON is YAML; a comment makes it nothing else.
    for manifest in [vm.to_string(), format!("# YAML\n{vm}"), format!("# YAML\n{vmi}"), format!("\n {vmi}")] {
        files.write("vmi", &manifest);
        assert_eq!(files.render().outcome(), expected, "{manifest}");
    }
}

/// A VM and what is applied together with it, in one file.
#[test]
fn of_several_documents_the_vm_is_taken() {
    let files = Files::new();
    let expected = files.render().outcome();
    let claim = "kind: ResourceClaimTemplate\n";
    for manifest in [format!("{claim}---\n{VM}"), format!("---\n{VM}---\n{claim}---\n")] {
        files.write("vmi", &manifest);
        assert_eq!(files.render().outcome(), expected, "{manifest}");
    }
    for (manifest, text) in [
        (format!("{claim}---\n{claim}"), "VMI: expected one VM, found 0 in 2 documents"),
        (format!("{VM}---\n{claim}---\n{VM}"), "VMI: expected one VM, found 2 in 3 documents"),
    ] {
        files.write("vmi", &manifest);
        assert_eq!(files.render().outcome(), failed(1, text));
    }
}

/// Only KubeVirt can expand these references.
#[test]
fn an_instancetype_or_a_preference_is_warned_of() {
    let files = Files::new();
    files.write("vmi", VM);
    let expected = files.render().outcome();
    for (fields, names) in [
        ("instancetype: {name: u1.medium}", "spec.instancetype"),
        ("preference: {inferFromVolume: root}", "spec.preference"),
        ("instancetype: {name: a}\n  preference: {name: b}", "spec.instancetype and spec.preference"),
    ] {
        files.write("vmi", VM.replacen("spec:\n", &format!("spec:\n  {fields}\n"), 1));
        let Outcome { code, stdout, stderr } = files.render().outcome();
        assert_eq!((code, &stdout), (expected.code, &expected.stdout));
        let warning = format!(
            "warning: the VM has {names}, which is not expanded here: CPUs (queue pairs), memory and devices may differ \
             from the running VM's; render its VMI instead: kubectl get vmi <name> -o yaml\n{}",
            expected.stderr
        );
        assert_eq!(stderr, warning);
    }
}

#[test]
fn what_is_neither_json_nor_yaml_is_refused() {
    let files = Files::new();
    for (manifest, text) in [
        (&b"a: b: c"[..], "VMI: neither JSON nor YAML"),
        (b"- [", "VMI: neither JSON nor YAML"),
        (b"\0", "VMI: neither JSON nor YAML"),
        (b"\xff\xfe", "VMI: neither JSON nor YAML: not UTF-8"),
    ] {
        files.write("vmi", manifest);
        assert_eq!(files.render().outcome(), failed(1, text));
    }
}

#[test]
fn unreadable_files_are_invalid_usage() {
    let files = Files::new();
    let gone = "No such file or directory (os error 2)";
    for (flag, text) in [
        ("--vmi=gone", format!("error: --vmi gone: {gone}")),
        ("--domain=gone", format!("error: --domain gone: {gone}")),
        ("--network-info=gone", format!("error: --network-info gone: {gone}")),
        ("--vmi=.", "error: --vmi .: Is a directory (os error 21)".to_owned()),
    ] {
        // clap refuses a flag that is given twice.
        let run = ["--vmi=vmi", "--domain=domain", "--network-info=network-info"]
            .iter()
            .filter(|given| given.split('=').next() != flag.split('=').next())
            .fold(Run::new("render").dir(files.dir()), |run, given| run.arg(given));
        assert_eq!(run.arg(flag).outcome(), failed(2, &text));
    }
}

#[test]
fn sources_that_are_needed_must_be_named() {
    let files = Files::new();
    let without = || Run::new("render").dir(files.dir()).arg("--vmi=vmi").arg("--domain=domain");
    assert_eq!(without().outcome(), failed(2, "error: network 'dpdk0' needs --network-info"));
    let claim = VMI.replacen(
        r#""multus": {
          "networkName": "ns1/dpdk"
        }"#,
        r#""resourceClaim": {"claimName": "c", "requestName": "r"}"#,
        1,
    );
    files.write("vmi", claim);
    assert_eq!(without().outcome(), failed(2, "error: network 'dpdk0' needs --dra-dir"));
    // The environment of a sidecar does not name files for it.
    let run = without().env("VHOSTUSER_NETWORK_INFO", "network-info").env("VHOSTUSER_DRA_DIR", ".");
    assert_eq!(run.outcome(), failed(2, "error: network 'dpdk0' needs --dra-dir"));
}

/// What the hook would wait for is reported at once, with the hook's message.
#[test]
fn it_never_waits() {
    let files = Files::new();
    files.write("network-info", "");
    let Outcome { code, stdout, stderr } = files.render().outcome();
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    expect![[r#"
        network 'dpdk0': network-info: is empty: KubeVirt lists a network once Multus has reported it: check the pod's network-status, that the NAD's annotation k8s.v1.cni.cncf.io/resourceName names the device plugin's resource and that the VM requests it (KubeVirt 1.7 and older never list a network without device-info)
    "#]].assert_eq(&stderr);
}

/// Neither a hook directory nor a sidecar's default files are needed, and nothing is created.
#[test]
fn it_touches_nothing() {
    let files = Files::new();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(files.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    fs::set_permissions(files.dir(), fs::Permissions::from_mode(0o555)).unwrap();
    let elsewhere = files.render().arg("--hook-dir=/does/not/exist").arg("--diff").outcome();
    fs::set_permissions(files.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(elsewhere.code, Some(0));
    assert!(elsewhere.stdout.contains("\nlink /does/not/exist/hook-sidecar-0/userdata/pod0234249e469 -> "));
    assert_eq!(names(), before);
}

/// Warnings are for people; standard output stays the hook's bytes.
#[test]
fn warnings_go_to_standard_error() {
    let files = Files::new();
    files.write("network-info", crate::NETWORK_INFO.replacen("vhost.sock", "0123456789ab.sock", 1));
    let outcome = files.render().outcome();
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.starts_with("<domain "));
    expect![[r#"
        warning: network 'dpdk0': the socket's file name '0123456789ab.sock' looks specific to this node; a live migration needs the same file name on every node ('vhost.sock')
    "#]].assert_eq(&outcome.stderr);
}

/// `render … | head` is not an error.
#[test]
fn a_reader_that_closes_early_is_not_an_error() {
    let files = Files::new();
    files.write("domain", DOMAIN.replacen("<metadata>", &format!("<metadata>{}", " ".repeat(1 << 20)), 1));
    let mut child = Command::new(BINARY)
        .env_clear()
        .args(["render", "--vmi=vmi", "--domain=domain", "--network-info=network-info"])
        .current_dir(files.dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice(), &first), (Some(0), &b""[..], b"<domain "));
}
