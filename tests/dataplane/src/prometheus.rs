//! The real Prometheus, which scrapes the device plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::agent::METRICS;
use crate::http;
use crate::process::{Process, run};
use crate::wait::{seconds, until};

const ADDRESS: &str = "127.0.0.1:9090";
const CONFIG: &str = "/run/prometheus.yaml";
const DATA: &str = "/run/prometheus";

/// Dropping it ends it.
pub struct Prometheus {
    process: Option<Process>,
    log: PathBuf,
}

impl Prometheus {
    /// With labels of the scraped pod, as a PodMonitor sets them, and `honorLabels`.
    pub fn start(logs: &Path) -> Result<Self> {
        let config = serde_json::json!({
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{
                "job_name": "vhostuser",
                "honor_labels": true,
                "static_configs": [{"targets": [METRICS], "labels": {"namespace": "vhostuser", "pod": "device-plugin-x7k2p"}}],
            }],
        });
        fs::write(CONFIG, config.to_string())?;
        run(seconds(60), &["promtool", "check", "config", CONFIG])?;
        let mut command = Command::new("prometheus");
        command.args([format!("--config.file={CONFIG}"), format!("--storage.tsdb.path={DATA}")]);
        command.args([format!("--web.listen-address={ADDRESS}"), "--log.level=warn".to_owned()]);
        let log = logs.join("prometheus.log");
        let process = Process::daemon("Prometheus", &mut command, &log)?;
        let prometheus = Self { process: Some(process), log };
        until("Prometheus to be ready", seconds(60), || http::get(ADDRESS, "/-/ready").is_ok())?;
        Ok(prometheus)
    }

    /// What it has to complain of: it says nothing else.
    pub fn complaints(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// What an expression is now: series, each with its labels and value.
    pub fn query(&self, expression: &str) -> Result<Vec<Series>> {
        let answer = ask(&format!("/api/v1/query?query={}", encoded(expression)))?;
        let series = answer["result"].as_array().with_context(|| format!("{expression} is {answer}"))?;
        series.iter().map(Series::read).collect()
    }

    /// The values of a label among the series that a selector selects: Grafana's `label_values`.
    pub fn label_values(&self, selector: &str, label: &str) -> Result<Vec<String>> {
        let answer = ask(&format!("/api/v1/label/{label}/values?match[]={}", encoded(selector)))?;
        Ok(serde_json::from_value(answer)?)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process = None;
        let _ = fs::remove_dir_all(DATA);
    }
}

/// One of an answer's series.
#[derive(Debug)]
pub struct Series {
    labels: Value,
    pub value: f64,
}

impl Series {
    fn read(series: &Value) -> Result<Self> {
        let value = series["value"][1].as_str().context("a value is a text")?.parse()?;
        Ok(Self { labels: series["metric"].clone(), value })
    }

    /// Nothing where it has none.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels[name].as_str()
    }
}

fn ask(path: &str) -> Result<Value> {
    let answer: Value = serde_json::from_str(&http::get(ADDRESS, path)?)?;
    ensure!(answer["status"] == "success", "Prometheus on {path}: {answer}");
    Ok(answer["data"].clone())
}

/// Every byte, which is right for any.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
