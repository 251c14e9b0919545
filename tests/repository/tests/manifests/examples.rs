//! The examples: what they ask for is what the shipped configuration offers, and the VMs get the NICs that their
//! golden folders (`tests/golden/example-…`) say, which the dataplane test has libvirt define.

use std::{collections::BTreeMap, process::Command};

use device_plugin::config::Config;
use serde_json::{Value, json};

use crate::{
    files::yaml_files,
    nads::networks,
    yaml::{config, document, documents, extended, items, path, resources, string, text},
};

/// The VMs, with the flag and the file of their golden folder that says where their sockets are.
const VMS: [(&str, &str, &str); 3] = [
    ("vm-one-nic", "--network-info", "network-info.json"),
    ("vm-two-nics", "--network-info", "network-info.json"),
    ("vm-dra", "--dra-dir", "dra"),
];

fn vm(example: &str) -> Value {
    document(&format!("examples/{example}.yaml"), "VirtualMachine")
}

/// An example for which nobody has a test is none.
#[test]
fn every_example_is_known() {
    let known = ["device-plugin", "nad", "pod-dpdk", "pod-switch", "vm-dra", "vm-one-nic", "vm-two-nics"];
    assert_eq!(yaml_files("examples"), known.map(|name| format!("examples/{name}.yaml")));
}

#[test]
fn render_gives_each_vm_the_nics_of_its_golden_folder() {
    for (example, flag, source) in VMS {
        let golden = path(&format!("tests/golden/example-{example}"));
        let rendered = Command::new(programs::sidecar())
            .env_clear()
            .current_dir(&golden)
            .args(["render", "--domain=domain.xml", flag, source, "--vmi"])
            .arg(path(&format!("examples/{example}.yaml")))
            .output()
            .unwrap();
        let expected = std::fs::read_to_string(golden.join("expected.xml")).unwrap();
        assert_eq!(String::from_utf8(rendered.stderr).unwrap(), "", "{example}");
        assert_eq!(String::from_utf8(rendered.stdout).unwrap(), expected, "{example}");
    }
}

/// What the hook is given in the golden test is what KubeVirt makes of the example.
#[test]
fn the_golden_folders_are_of_the_examples() {
    for (example, ..) in VMS {
        let golden: Value =
            serde_json::from_str(&text(&format!("tests/golden/example-{example}/vmi.json"))).unwrap();
        let vm = vm(example);
        let template = &vm["spec"]["template"];
        let metadata = json!({
            "name": vm["metadata"]["name"],
            "namespace": vm["metadata"]["namespace"],
            "annotations": template["metadata"]["annotations"],
        });
        let vmi = json!({"kind": "VirtualMachineInstance", "metadata": metadata, "spec": template["spec"]});
        assert_eq!(golden, vmi, "{example}");
    }
}

/// The facts that the comments in the examples promise.
#[test]
fn the_domains_have_what_the_examples_say() {
    let facts: [(&str, &[&str]); 3] = [
        (
            "vm-one-nic",
            &[
                r#"<source type="unix" path="/var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod0234249e469/vhost.sock" mode="server"/><mac address="02:00:00:00:10:00"/>"#,
                r#"<driver name="vhost" rx_queue_size="1024" tx_queue_size="1024"/>"#,
                r#"<access mode="shared"/>"#,
            ],
        ),
        (
            "vm-two-nics",
            &[
                r#"<mac address="02:00:00:00:11:00"/><model type="virtio-non-transitional"/><driver name="vhost" queues="4" "#,
                r#"<mac address="02:00:00:00:11:01"/><model type="virtio-non-transitional"/><driver name="vhost" queues="4" "#,
                r#"<qemu:device alias="ua-dpdk1"><qemu:frontend><qemu:property name="host_mtu" type="unsigned" value="9000"/>"#,
            ],
        ),
        ("vm-dra", &[r#"mode="server"/><mac address="02:00:00:00:20:00"/>"#, r#"<access mode="shared"/>"#]),
    ];
    for (example, parts) in facts {
        let domain = text(&format!("tests/golden/example-{example}/expected.xml"));
        for part in parts {
            assert_eq!(domain.matches(part).count(), 1, "{example}: {part}");
        }
    }
}

#[test]
fn vms_request_a_device_for_each_nic() {
    let networks = networks();
    for (example, ..) in VMS {
        let vm = vm(example);
        let spec = &vm["spec"]["template"]["spec"];
        let mut wanted = BTreeMap::<String, usize>::new();
        for network in items(&spec["networks"]) {
            if let Some(nad) = network["multus"]["networkName"].as_str() {
                let resource = networks.get(nad).unwrap_or_else(|| panic!("{example}: no {nad} in nad.yaml"));
                *wanted.entry(resource.clone()).or_default() += 1;
            }
        }
        let wanted: Vec<_> = wanted.into_iter().map(|(name, count)| (name, count.to_string())).collect();
        assert_eq!(extended(&spec["domain"]), wanted, "{example}");
        let ours = |interface: &&Value| interface["binding"]["name"] == "vhostuser";
        let interfaces = items(&spec["domain"]["devices"]["interfaces"]);
        assert_eq!(interfaces.iter().filter(ours).count(), if example == "vm-two-nics" { 2 } else { 1 });
    }
}

/// The DRA VM's claim is of the template beside it, and of a request that the template has.
#[test]
fn the_claim_is_of_the_template_beside_it() {
    let template = document("examples/vm-dra.yaml", "ResourceClaimTemplate");
    let vm = vm("vm-dra");
    assert_eq!(template["metadata"]["namespace"], vm["metadata"]["namespace"]);
    let spec = &vm["spec"]["template"]["spec"];
    let name = &template["metadata"]["name"];
    assert_eq!(spec["resourceClaims"], json!([{"name": "nic0", "resourceClaimTemplateName": name}]));
    let request = &template["spec"]["spec"]["devices"]["requests"][0]["name"];
    assert_eq!(spec["networks"][0]["resourceClaim"], json!({"claimName": "nic0", "requestName": request}));
}

#[test]
fn the_dpdk_pod_has_its_device_its_network_and_the_socket_variable() {
    let pod = documents("examples/pod-dpdk.yaml").remove(0);
    let metadata = &pod["metadata"];
    let network = string(&metadata["annotations"]["k8s.v1.cni.cncf.io/networks"]);
    let resource = &networks()[&format!("{}/{network}", string(&metadata["namespace"]))];
    let container = &pod["spec"]["containers"][0];
    assert_eq!(extended(container), [(resource.clone(), "1".to_owned())]);

    let config = config();
    let ports = config.resources.iter().find(|ports| config.full_name(&ports.name) == *resource).unwrap();
    let variable = format!("$VHOSTUSER_{}", ports.name.as_str().to_ascii_uppercase().replace('-', "_"));
    let server = match ports.mode.as_str() {
        "server" => "server=1",
        _ => "server=0",
    };
    let argument = format!("path={variable},{server},");
    assert!(string(&container["args"][0]).contains(&argument), "{argument}");
    let owner = config.sockets.access.owner;
    let context = &pod["spec"]["securityContext"];
    assert_eq!((&context["runAsUser"], &context["runAsGroup"]), (&json!(owner.uid), &json!(owner.gid)));
}

#[test]
fn the_switch_pod_takes_the_dataplane() {
    let pod = documents("examples/pod-switch.yaml").remove(0);
    // As the shipped configuration is when its last lines are no comment any more.
    let shipped = text("manifests/base/device-plugin.yaml");
    assert_eq!(config().dataplane, None);
    let config = Config::parse(&shipped.replace("# dataplane:\n#   name", "dataplane:\n  name")).unwrap();
    let dataplane = config.full_name(config.dataplane.as_ref().unwrap());
    assert_eq!(extended(&pod["spec"]["containers"][0]), [(dataplane.clone(), "1".to_owned())]);
    assert!(resources(&config).contains(&dataplane));
    // The directory of OVSDB's socket, which the configuration names.
    let mount = &pod["spec"]["containers"][0]["volumeMounts"][0];
    let ovsdb = config.switches[0].ovsdb.to_string();
    assert_eq!(format!("{}/db.sock", string(&mount["mountPath"])), ovsdb);
    assert_eq!(pod["spec"]["volumes"][0]["hostPath"]["path"], "/run/openvswitch");
}
