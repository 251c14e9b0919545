//! From raw flags to configuration, with every mistake in one message.

use std::{ffi::OsStr, fmt, path::PathBuf, time::Duration};

use super::{NicArgs, RenderArgs, ServeArgs};
use crate::annotations::{RECONNECT_TIMEOUT_MAX, reconnect_timeout, ring, whole};
use crate::config::{ContainerName, Layout, NicConfig, Sources};
use crate::hooks::ServeConfig;
use host_io::logging::{Format, Logging};
use vocabulary::{ComputePath, DPDK_MAX_QUEUE_PAIRS, QueuePairs, Quoted};

/// The most that one hook call may wait: virt-handler gives the call around it 20 s, and the next sidecar needs its
/// share.
const WAIT_MAX: Duration = Duration::from_secs(8);

/// NicSettings that cannot be used, all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSettings(Vec<String>);

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings that cannot be used:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for BadSettings {}

/// Collects mistakes.
#[derive(Default)]
struct Check(Vec<String>);

impl Check {
    /// The parsed value, or a mistake noted.
    fn value<T>(&mut self, flag: &str, text: &str, parsed: Option<T>, takes: &str) -> Option<T> {
        if parsed.is_none() {
            let variable = flag.to_ascii_uppercase().replace('-', "_");
            self.0.push(format!(
                "--{flag} (VHOSTUSER_{variable}): {} cannot be used, it takes {takes}",
                Quoted(text)
            ));
        }
        parsed
    }

    fn path(&mut self, flag: &str, path: &OsStr) -> Option<PathBuf> {
        let parsed = (!path.is_empty()).then(|| PathBuf::from(path));
        self.value(flag, "", parsed, "a path")
    }

    fn finish<T>(self, value: Option<T>) -> Result<T, BadSettings> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(BadSettings(self.0)),
        }
    }
}

impl ServeArgs {
    /// Checks every flag.
    pub fn check(self) -> Result<(ServeConfig, Logging), BadSettings> {
        let Self { network_info, dra_dir, wait, log_format, log_level, nics } = self;
        let mut check = Check::default();
        let network_info = check.path("network-info", &network_info);
        let dra_dir = check.path("dra-dir", &dra_dir);
        let hook_dir = PathBuf::from(&nics.hook_dir);
        let container = nics.container();
        let nics = nics.check(&mut check);
        let wait = check.value("wait", &wait, parse_wait(&wait), "a time like '500ms' or '8s', at most 8s");
        let format = check.value("log-format", &log_format, parse_format(&log_format), "json or text");
        let level = check.value(
            "log-level",
            &log_level,
            parse_level(&log_level),
            "error, warn, info, debug or trace",
        );
        let value = (|| {
            let sources = Sources { network_info: network_info?, dra_dir: dra_dir?, wait: wait? };
            let logging = Logging { format: format?, level: level? };
            Some((ServeConfig { hook_dir, container, sources, nics: nics? }, logging))
        })();
        check.finish(value)
    }
}

impl RenderArgs {
    /// Checks every flag that decides what a NIC gets.
    pub fn check_nics(&self) -> Result<NicConfig, BadSettings> {
        let mut check = Check::default();
        let nics = self.nics.check(&mut check);
        check.finish(nics)
    }
}

impl NicArgs {
    /// Nothing for a name that KubeVirt would not give; the commands warn of it.
    pub(crate) fn container(&self) -> Option<ContainerName> {
        self.container_name.as_deref().and_then(ContainerName::parse)
    }

    fn check(&self, check: &mut Check) -> Option<NicConfig> {
        let Self {
            hook_dir,
            compute_hook_dir,
            binding_name,
            container_name: _,
            rx_queue_size,
            tx_queue_size,
            max_queue_pairs,
            reconnect_timeout: reconnect,
            target_dev,
        } = self;
        let rings = "256, 512 or 1024 descriptors";
        let hook_dir = PathBuf::from(hook_dir);
        let directory = hook_dir.is_absolute().then_some(());
        let directory =
            check.value("hook-dir", &hook_dir.display().to_string(), directory, "an absolute path");
        let container = self.container();
        let compute = ComputePath::directory(compute_hook_dir).ok();
        let layout = compute.map(|compute| Layout::new(hook_dir, &compute, container.as_ref()));
        let layout = layout.filter(Layout::has_room_for_a_socket);
        let layout = check.value(
            "compute-hook-dir",
            compute_hook_dir,
            layout,
            "an absolute path without '..' that leaves room for a socket's path of 107 bytes",
        );
        let rx = check.value("rx-queue-size", rx_queue_size, ring(rx_queue_size), rings);
        let tx = check.value("tx-queue-size", tx_queue_size, ring(tx_queue_size), rings);
        let pairs = whole(max_queue_pairs).and_then(QueuePairs::new);
        let pairs_take = format!("a whole number of queue pairs from 1 to {DPDK_MAX_QUEUE_PAIRS}");
        let pairs = check.value("max-queue-pairs", max_queue_pairs, pairs, &pairs_take);
        let seconds_take = format!("a whole number of seconds from 1 to {RECONNECT_TIMEOUT_MAX}");
        let seconds =
            check.value("reconnect-timeout", reconnect, reconnect_timeout(reconnect), &seconds_take);
        let target_dev = check.value("target-dev", target_dev, target_dev.parse().ok(), "true or false");
        directory?;
        Some(NicConfig {
            binding_name: binding_name.clone().filter(|name| !name.is_empty()),
            layout: layout?,
            rx_queue_size: rx?,
            tx_queue_size: tx?,
            max_queue_pairs: pairs?,
            reconnect_timeout: seconds?,
            target_dev: target_dev?,
        })
    }
}

fn parse_wait(text: &str) -> Option<Duration> {
    let wait = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => Duration::from_millis(whole(number)?),
        (None, Some(number)) => Duration::from_secs(whole(number)?),
        (None, None) => return None,
    };
    (wait <= WAIT_MAX).then_some(wait)
}

fn parse_format(text: &str) -> Option<Format> {
    match text {
        "json" => Some(Format::Json),
        "text" => Some(Format::Text),
        _ => None,
    }
}

fn parse_level(text: &str) -> Option<tracing::Level> {
    let known = ["error", "warn", "info", "debug", "trace"].contains(&text);
    known.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn check(flags: &[&str]) -> Result<(ServeConfig, Logging), String> {
        let cli = Cli::try_parse_from(["x", "serve"].iter().chain(flags)).unwrap();
        let Some(Command::Serve(serve)) = cli.command else { panic!("not serve") };
        serve.check().map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_a_real_sidecar() {
        let (config, logging) = check(&[]).unwrap();
        assert_eq!(config.hook_dir.to_str(), Some("/var/run/kubevirt-hooks"));
        assert_eq!(config.sources.network_info, Path::new("/etc/podinfo/network-info"));
        assert_eq!(config.sources.dra_dir, Path::new("/var/run/kubernetes.io/dra-device-attributes"));
        assert_eq!(config.sources.wait, Duration::from_secs(8));
        assert_eq!(config.nics.layout.compute.as_str(), "/var/run/kubevirt-hooks/hook-sidecar-0/userdata");
        assert_eq!(config.nics.layout.links.to_string(), "/var/run/kubevirt-hooks/hook-sidecar-0/userdata");
        assert_eq!(config.nics.max_queue_pairs, QueuePairs::MAX);
        assert!(!config.nics.target_dev);
        assert_eq!(logging, Logging { format: Format::Json, level: tracing::Level::INFO });
    }

    #[test]
    fn a_container_name_stands_for_its_own_part_of_the_volume() {
        let (config, _) = check(&["--container-name", "hook-sidecar-3"]).unwrap();
        assert_eq!(config.nics.layout.compute.as_str(), "/var/run/kubevirt-hooks/hook-sidecar-3/userdata");
        assert_eq!(config.nics.layout.links.to_string(), "/var/run/kubevirt-hooks/userdata");
        let (config, _) = check(&["--container-name", "compute"]).unwrap();
        assert_eq!(config.nics.layout.compute.as_str(), "/var/run/kubevirt-hooks/hook-sidecar-0/userdata");
    }

    #[test]
    fn all_mistakes_come_in_one_message() {
        let flags = [
            "--network-info=",
            "--dra-dir=",
            "--hook-dir=x",
            "--compute-hook-dir=/a/../b",
            "--wait=9s",
            "--rx-queue-size=300",
            "--tx-queue-size=",
            "--max-queue-pairs=129",
            "--reconnect-timeout=0.5",
            "--target-dev=yes",
            "--log-format=xml",
            "--log-level=5",
        ];
        assert_eq!(
            check(&flags).unwrap_err(),
            "settings that cannot be used:
  --network-info (VHOSTUSER_NETWORK_INFO): '' cannot be used, it takes a path
  --dra-dir (VHOSTUSER_DRA_DIR): '' cannot be used, it takes a path
  --hook-dir (VHOSTUSER_HOOK_DIR): 'x' cannot be used, it takes an absolute path
  --compute-hook-dir (VHOSTUSER_COMPUTE_HOOK_DIR): '/a/../b' cannot be used, it takes an absolute path without '..' that leaves room for a socket's path of 107 bytes
  --rx-queue-size (VHOSTUSER_RX_QUEUE_SIZE): '300' cannot be used, it takes 256, 512 or 1024 descriptors
  --tx-queue-size (VHOSTUSER_TX_QUEUE_SIZE): '' cannot be used, it takes 256, 512 or 1024 descriptors
  --max-queue-pairs (VHOSTUSER_MAX_QUEUE_PAIRS): '129' cannot be used, it takes a whole number of queue pairs from 1 to 128
  --reconnect-timeout (VHOSTUSER_RECONNECT_TIMEOUT): '0.5' cannot be used, it takes a whole number of seconds from 1 to 3600
  --target-dev (VHOSTUSER_TARGET_DEV): 'yes' cannot be used, it takes true or false
  --wait (VHOSTUSER_WAIT): '9s' cannot be used, it takes a time like '500ms' or '8s', at most 8s
  --log-format (VHOSTUSER_LOG_FORMAT): 'xml' cannot be used, it takes json or text
  --log-level (VHOSTUSER_LOG_LEVEL): '5' cannot be used, it takes error, warn, info, debug or trace"
        );
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_wait("0s"), Some(Duration::ZERO));
        assert_eq!(parse_wait("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_wait("8s"), Some(WAIT_MAX));
        for bad in ["8", "", "s", "-1s", "8.5s", "8001ms", "1m", "8 s"] {
            assert_eq!(parse_wait(bad), None, "{bad}");
        }
    }

    #[test]
    fn target_dev_is_a_switch() {
        assert!(check(&["--target-dev"]).unwrap().0.nics.target_dev);
        assert!(check(&["--target-dev=true"]).unwrap().0.nics.target_dev);
        assert!(!check(&["--target-dev=false"]).unwrap().0.nics.target_dev);
    }
}
