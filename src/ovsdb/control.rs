//! ovs-vswitchd's control socket (ovs-appctl(8)): what the switch itself says, where the database only says what it
//! was told.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::Value;

use super::{OvsdbError, rpc::Rpc};
use crate::source_file;

/// Asks one question, such as `dpif/show`.
///
/// # Errors
/// The socket is missing, nobody listens, there is no answer in time, or the switch does not know the question.
pub fn ask(socket: &Path, method: &str, params: &[&str], deadline: Instant) -> Result<String, OvsdbError> {
    let answer = Rpc::connect(socket, deadline)?.call(method, &Value::from(params))?;
    match answer {
        Value::String(text) => Ok(text),
        _ => {
            let (socket, doing) = (socket.to_owned(), method.to_owned());
            Err(OvsdbError::Malformed { socket, doing, problem: "it is not a text".to_owned() })
        }
    }
}

/// The control socket of the ovs-vswitchd whose run directory this is; nothing where no process id is written down.
pub fn vswitchd(run_dir: &Path) -> Option<PathBuf> {
    let written = source_file::read(&run_dir.join("ovs-vswitchd.pid")).ok()??;
    let pid: u32 = std::str::from_utf8(&written).ok()?.trim().parse().ok()?;
    Some(run_dir.join(format!("ovs-vswitchd.{pid}.ctl")))
}

/// Whether the answer to `dpif/show` has this port: only then does the datapath carry its packets.
pub fn has_port(answer: &str, port: &str) -> bool {
    answer
        .lines()
        .filter(|line| line.starts_with("    "))
        .any(|line| line.split_whitespace().next() == Some(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_port_in_the_datapath() {
        let answer = "netdev@ovs-netdev: hit:0 missed:0\n  br1:\n    br1 65534/1: (tap)\n    vhu1 1/2: (dpdkvhostuserclient: \
                      configured_rx_queues=1)\n";
        assert!(has_port(answer, "vhu1") && has_port(answer, "br1"));
        assert!(!has_port(answer, "vhu") && !has_port(answer, "br1:") && !has_port(answer, "1/2:"));
    }

    #[test]
    fn finds_the_socket_by_the_process_id() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(vswitchd(dir.path()), None);
        std::fs::write(dir.path().join("ovs-vswitchd.pid"), "42\n").unwrap();
        assert_eq!(vswitchd(dir.path()), Some(dir.path().join("ovs-vswitchd.42.ctl")));
        std::fs::write(dir.path().join("ovs-vswitchd.pid"), "../x").unwrap();
        assert_eq!(vswitchd(dir.path()), None);
    }
}
