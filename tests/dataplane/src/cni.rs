//! The real CNI plugin, called as a container runtime calls it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

/// Where container runtimes keep their plugins.
const BIN: &str = "/opt/cni/bin";
const PLUGIN: &str = "vhostuser";

/// In seconds; the plugin has a deadline of its own, which is shorter.
const LIMIT: &str = "60";

/// What a runtime knows of one interface of one pod.
#[derive(Clone)]
pub struct Call {
    pub container: String,
    /// A path.
    pub netns: String,
    pub ifname: String,
    pub pod: String,
    /// The network configuration.
    pub config: Value,
}

impl Call {
    pub fn add(&self) -> Result<Value> {
        let said = self.run("ADD", &self.config)?;
        serde_json::from_str(&said).with_context(|| format!("the result of ADD is not JSON: {said}"))
    }

    /// `result` is what ADD has answered.
    pub fn check(&self, result: &Value) -> Result<()> {
        let mut config = self.config.clone();
        config["prevResult"] = result.clone();
        silent("CHECK", &self.run("CHECK", &config)?)
    }

    pub fn del(&self) -> Result<()> {
        silent("DEL", &self.run("DEL", &self.config)?)
    }

    fn run(&self, command: &str, config: &Value) -> Result<String> {
        let args = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={};K8S_POD_INFRA_CONTAINER_ID={}",
            self.pod, self.container
        );
        let variables = BTreeMap::from([
            ("CNI_COMMAND", command),
            ("CNI_CONTAINERID", &self.container),
            ("CNI_NETNS", &self.netns),
            ("CNI_IFNAME", &self.ifname),
            ("CNI_ARGS", &args),
            ("CNI_PATH", BIN),
        ]);
        let mut process = Command::new("timeout");
        process.args(["--kill-after=2", LIMIT, &format!("{BIN}/{PLUGIN}")]).env_clear().envs(variables);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = process.spawn().context("timeout (coreutils)")?;
        let mut stdin = process.stdin.take().context("a pipe")?;
        stdin.write_all(config.to_string().as_bytes())?;
        drop(stdin);
        let output = process.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let log = String::from_utf8_lossy(&output.stderr);
        let error: Value = serde_json::from_str(&said)
            .map_err(|_| anyhow!("{command} ended with {} and no JSON: {said}{log}", output.status))?;
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        bail!("{command} of pod {}: code {}: {}: {}", self.pod, error["code"], text("msg"), text("details"))
    }
}

/// DEL and CHECK have nothing to say where they succeed.
fn silent(command: &str, said: &str) -> Result<()> {
    if said.is_empty() { Ok(()) } else { bail!("{command} succeeds and says {said}") }
}

/// The part of a configuration that every NAD of this plugin has.
pub fn configuration(name: &str, bridge: &str) -> Value {
    json!({
        "cniVersion": "1.1.0",
        "name": name,
        "type": PLUGIN,
        "bridge": bridge,
        "capabilities": {"CNIDeviceInfoFile": true, "deviceID": true, "mac": true},
    })
}
