//! The real `kubectl` against a stand-in for the API server. The working directory is a reader's: a checkout with
//! `my-cluster` next to it, made from docs/install.md.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    api_server::ApiServer,
    pages::{block, path},
};

pub const COMMANDS: [&str; 10] =
    [APPLY, ROLLOUT, SOCKETS, PATCH, NAMESPACE, NETWORKS, DESCRIBE_VMI, DESCRIBE_POD, SIDECAR_LOG, NODE_LOG];

const APPLY: &str = "kubectl apply -k ../my-cluster";
const ROLLOUT: &str = "kubectl -n vhostuser-system rollout status daemonset vhostuser-node";
const SOCKETS: &str = r"kubectl get nodes -o custom-columns='NODE:.metadata.name,SOCKETS:.status.allocatable.vhostuser\.network/sockets'";
const PATCH: &str = r#"kubectl -n kubevirt patch kubevirt kubevirt --type merge -p "$(sed "s|registry.example|$REGISTRY|" manifests/kubevirt/binding.yaml)""#;
const NAMESPACE: &str = "kubectl create namespace ns1 --dry-run=client -o yaml | kubectl apply -f -";
const NETWORKS: &str = "kubectl apply -f examples/nad.yaml";
const DESCRIBE_VMI: &str = r#"kubectl describe vmi "$VM""#;
const DESCRIBE_POD: &str = r#"kubectl describe pod "$POD""#;
const SIDECAR_LOG: &str = r#"kubectl logs "$POD" -c hook-sidecar-0"#;
const NODE_LOG: &str = "kubectl -n vhostuser-system logs ds/vhostuser-node";

pub const REGISTRY: &str = "r.example";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A reader's directory, and a cluster.
pub struct Reader {
    pub server: ApiServer,
    home: tempfile::TempDir,
}

impl Reader {
    pub fn new() -> Self {
        let reader = Self { server: ApiServer::start(), home: tempfile::tempdir().unwrap() };
        let at = |name: &str| reader.home.path().join(name);
        let checkout = at("network-vhostuser-binding");
        fs::create_dir_all(&checkout).unwrap();
        let copied =
            Command::new("cp").arg("-r").arg(path("manifests")).arg(path("examples")).arg(&checkout).status();
        assert!(copied.unwrap().success());
        fs::create_dir(at("my-cluster")).unwrap();
        let overlay = block("docs/install.md", "yaml\n", "# my-cluster/kustomization.yaml");
        fs::write(at("my-cluster/kustomization.yaml"), overlay.replace("<registry>", REGISTRY)).unwrap();
        fs::copy(path("examples/device-plugin.yaml"), at("my-cluster/device-plugin.yaml")).unwrap();
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", reader.server.address)}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {}}]});
        fs::write(at("kubeconfig"), config.to_string()).unwrap();
        reader
    }

    fn output(&self, command: &str) -> Output {
        let home: &Path = self.home.path();
        let mut bash = Command::new("timeout");
        bash.args(["60", "bash", "-euc", command]).current_dir(home.join("network-vhostuser-binding"));
        bash.env("REGISTRY", REGISTRY).env("VM", "vm1").env("POD", "virt-launcher-vm1-x");
        bash.env("HOME", home).env("KUBECONFIG", home.join("kubeconfig")).output().unwrap()
    }

    /// What it prints on standard output and standard error.
    fn run(&self, command: &str) -> (String, String) {
        let output = self.output(command);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(0), "{command}: {stderr}");
        (stdout, stderr)
    }

    pub fn stdout(&self, command: &str) -> String {
        let (stdout, stderr) = self.run(command);
        assert_eq!(stderr, "", "{command}");
        stdout
    }
}

fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(Value::to_string);
    objects
}

#[test]
fn apply_sends_what_kustomize_prints_and_nothing_when_it_is_repeated() {
    let reader = Reader::new();
    let printed = reader.stdout("kubectl kustomize ../my-cluster");
    let said = reader.stdout(APPLY);
    let created: Vec<_> = reader
        .server
        .take_changes()
        .into_iter()
        .map(|(method, _, mut object)| {
            assert_eq!(method, "POST");
            let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
            annotations.remove(LAST_APPLIED).unwrap();
            if annotations.is_empty() {
                object["metadata"].as_object_mut().unwrap().remove("annotations");
            }
            object
        })
        .collect();
    let printed: Vec<Value> = serde_saphyr::from_multiple(&printed).unwrap();
    assert_eq!(created.len(), 4);
    assert_eq!(sorted(created), sorted(printed));
    assert!(said.lines().all(|line| line.ends_with(" created")), "{said}");
    let again = reader.stdout(APPLY);
    assert_eq!(again, said.replace(" created\n", " unchanged\n"));
    assert_eq!(reader.server.take_changes(), []);
}

const NODE: &str = "/apis/apps/v1/namespaces/vhostuser-system/daemonsets/vhostuser-node";

/// The cluster after the controller has done its work: the DaemonSet's status, and a pod.
fn deployed() -> Reader {
    let reader = Reader::new();
    reader.stdout(APPLY);
    let mut daemon_set = reader.server.object(NODE);
    daemon_set["metadata"]["generation"] = json!(1);
    daemon_set["status"] = json!({"observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
        "updatedNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2, "numberMisscheduled": 0});
    let mut pod = daemon_set["spec"]["template"].clone();
    reader.server.put(NODE, daemon_set);
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("vhostuser-node-x");
    pod["metadata"]["namespace"] = json!("vhostuser-system");
    reader.server.put("/api/v1/namespaces/vhostuser-system/pods/vhostuser-node-x", pod);
    reader
}

#[test]
fn rollout_status_finds_the_daemon_set() {
    assert_eq!(deployed().stdout(ROLLOUT), "daemon set \"vhostuser-node\" successfully rolled out\n");
}

#[test]
fn the_nodes_sockets_are_shown() {
    let reader = Reader::new();
    for (name, sockets) in [("node01", "64"), ("node02", "0")] {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"allocatable": {"cpu": "8", "vhostuser.network/sockets": sockets}}});
        reader.server.put(&format!("/api/v1/nodes/{name}"), node);
    }
    assert_eq!(reader.stdout(SOCKETS), "NODE     SOCKETS\nnode01   64\nnode02   0\n");
}

#[test]
fn the_networks_are_created_in_their_namespace() {
    let reader = Reader::new();
    assert_eq!(reader.stdout(NAMESPACE), "namespace/ns1 created\n");
    let prefix = "networkattachmentdefinition.k8s.cni.cncf.io/dpdk";
    assert_eq!(reader.stdout(NETWORKS), format!("{prefix} created\n{prefix}-vlan100 created\n"));
    let created: Vec<_> = reader.server.take_changes().into_iter().map(|(_, path, _)| path).collect();
    let networks = "/apis/k8s.cni.cncf.io/v1/namespaces/ns1/network-attachment-definitions/dpdk";
    assert_eq!(created, ["/api/v1/namespaces/ns1", networks, &format!("{networks}-vlan100")]);
}

/// Of two containers it takes the one that keeps running.
#[test]
fn the_node_s_log_is_the_device_plugin_s() {
    let reader = deployed();
    let pod = "/api/v1/namespaces/vhostuser-system/pods/vhostuser-node-x";
    reader.server.put_log(pod, "device-plugin", "the device plugin's line\n");
    reader.server.put_log(pod, "install-cni", "the installer's line\n");
    let (stdout, stderr) = reader.run(NODE_LOG);
    assert_eq!(stdout, "the device plugin's line\n");
    let said = "Defaulted container \"device-plugin\" out of: device-plugin, install-cni (init)\n";
    assert_eq!(stderr, said);
}

pub const KUBEVIRT: &str = "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts/kubevirt";

#[test]
fn the_patch_adds_the_registration_and_leaves_the_rest() {
    let reader = Reader::new();
    let mut kubevirt = json!({"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt", "resourceVersion": "7"},
        "spec": {"imagePullPolicy": "Always", "configuration": {
            "developerConfiguration": {"featureGates": ["LiveMigration"]},
            "network": {"permitBridgeInterfaceOnPodNetwork": false,
                "binding": {"passt": {"sidecarImage": "r.example/passt:v1"}}}}}});
    reader.server.put(KUBEVIRT, kubevirt.clone());
    assert_eq!(reader.stdout(PATCH), "kubevirt.kubevirt.io/kubevirt patched\n");
    let registration: Value =
        serde_saphyr::from_str(&fs::read_to_string(path("manifests/kubevirt/binding.yaml")).unwrap())
            .unwrap();
    let binding = "/spec/configuration/network/binding";
    let mut ours = registration.pointer(binding).unwrap()["vhostuser"].clone();
    assert_eq!(ours["downwardAPI"], "device-info");
    let image = ours["sidecarImage"].as_str().unwrap().replace("registry.example", REGISTRY);
    ours["sidecarImage"] = json!(image);
    kubevirt.pointer_mut(binding).unwrap()["vhostuser"] = ours;
    assert_eq!(reader.server.object(KUBEVIRT), kubevirt);
    assert_eq!(reader.stdout(PATCH), "kubevirt.kubevirt.io/kubevirt patched (no change)\n");
}

/// The commands in the comments of `file`, continued lines joined.
pub fn commands_of_comments(file: &str) -> Vec<String> {
    let text = fs::read_to_string(path(file)).unwrap().replace(" \\\n#    ", "");
    let lines = text.lines().filter_map(|line| line.strip_prefix("#   "));
    lines.filter(|line| line.starts_with("kubectl ")).map(str::to_owned).collect()
}

/// The commands in the comments of manifests/kubevirt/.
#[test]
fn gates_are_added_to_those_that_are_there() {
    let reader = Reader::new();
    let kubevirt = json!({"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt", "resourceVersion": "7"}, "spec": {}});
    reader.server.put(KUBEVIRT, kubevirt);
    assert_eq!(commands_of_comments("manifests/kubevirt/binding.yaml"), [PATCH]);
    let binding_plugins = commands_of_comments("manifests/kubevirt/gate-binding-plugins.yaml");
    let [append, make] = binding_plugins.as_slice() else { panic!("{binding_plugins:?}") };
    let dra = commands_of_comments("manifests/kubevirt/gate-dra.yaml");
    let [append_dra, make_dra] = dra.as_slice() else { panic!("{dra:?}") };
    assert_eq!(make_dra.replace("NetworkDevicesWithDRA", "NetworkBindingPlugins"), *make);
    for command in [append, append_dra] {
        assert_eq!(reader.output(command).status.code(), Some(1), "there is no list yet");
    }
    for command in [make, append_dra] {
        assert_eq!(reader.stdout(command), "kubevirt.kubevirt.io/kubevirt patched\n");
    }
    let gates = json!(["NetworkBindingPlugins", "NetworkDevicesWithDRA"]);
    let configured = reader.server.object(KUBEVIRT)["spec"]["configuration"].clone();
    assert_eq!(configured["developerConfiguration"]["featureGates"], gates);
}

const REFUSAL: &str = "link podx: the name is taken by something that is not a link of this sidecar";

/// An event about an object.
fn put_event(reader: &Reader, kind: &str, object: &str, reason: &str, message: &str) {
    let name = format!("{object}.{reason}");
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": kind, "name": object, "namespace": "default"}, "type": "Warning",
        "reason": reason, "message": message, "count": 1, "source": {"component": "c"}});
    reader.server.put(&format!("/api/v1/namespaces/default/events/{name}"), event);
}

#[test]
fn describe_shows_the_refusals() {
    let reader = Reader::new();
    let vmi = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
        "metadata": {"name": "vm1", "namespace": "default"},
        "status": {"conditions": [{"type": "Synchronized", "status": "False", "message": REFUSAL}]}});
    reader.server.put("/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances/vm1", vmi);
    put_event(&reader, "VirtualMachineInstance", "vm1", "SyncFailed", REFUSAL);
    let described = reader.stdout(DESCRIBE_VMI);
    assert_eq!(described.matches(REFUSAL).count(), 2, "{described}");

    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "virt-launcher-vm1-x", "namespace": "default"},
        "spec": {"containers": [{"name": "compute"}, {"name": "hook-sidecar-0"}]}, "status": {"phase": "Pending"}});
    reader.server.put("/api/v1/namespaces/default/pods/virt-launcher-vm1-x", pod);
    put_event(&reader, "Pod", "virt-launcher-vm1-x", "FailedCreatePodSandBox", "OVS has no bridge br9");
    let described = reader.stdout(DESCRIBE_POD);
    assert_eq!(described.matches("FailedCreatePodSandBox").count(), 1, "{described}");
    assert_eq!(described.matches("OVS has no bridge br9").count(), 1, "{described}");

    let path = "/api/v1/namespaces/default/pods/virt-launcher-vm1-x";
    reader.server.put_log(path, "hook-sidecar-0", "the sidecar's line\n");
    assert_eq!(reader.stdout(SIDECAR_LOG), "the sidecar's line\n");
}
