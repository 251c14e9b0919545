//! What doctor says of the node, and of a pod.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Something that it finds wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) id: String,
    pub(crate) place: String,
    pub(crate) mend: String,
}

impl Finding {
    /// What tells it from others.
    pub(crate) fn is(&self, (id, place): &(&str, String)) -> bool {
        self.id == *id && self.place == *place
    }
}

/// All that is wrong with the node.
pub(crate) fn node() -> Result<Vec<Finding>> {
    ask(Command::new("/opt/vhostuser-device-plugin").arg("doctor"))
}

/// Runs one of the two, which says by its exit code whether it has found something.
pub(crate) fn ask(doctor: &mut Command) -> Result<Vec<Finding>> {
    let output = doctor.arg("--json").output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("doctor: {}", String::from_utf8_lossy(&output.stderr)))?;
    let found = report["findings"].as_array().context("doctor's report has findings")?;
    let code = output.status.code();
    ensure!(code == Some(i32::from(!found.is_empty())), "doctor ended with {code:?}: {report}");
    let mut found = found.iter().map(read).collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

fn read(finding: &Value) -> Result<Finding> {
    let text = |key: &str| Ok::<_, anyhow::Error>(finding[key].as_str().context("a text")?.to_owned());
    Ok(Finding { id: text("id")?, place: text("where")?, mend: text("fix")? })
}
