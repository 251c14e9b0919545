//! Findings of the two doctors, and how they are reported.

pub mod exit;

use std::fmt;

use serde_json::{Value, json};

macro_rules! ids {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// Identifies a finding, for scripts and documentation. Ids never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Id { $(#[doc = $text] $variant),* }

        impl Id {
            /// All ids.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The id as reported.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

ids! {
    HugepagesNone = "hugepages-none",
    HugepagesUsedUp = "hugepages-used-up",
    RootMissing = "root-missing",
    RootOwner = "root-owner",
    RootMode = "root-mode",
    RootNotMounted = "root-not-mounted",
    RootFollowsLinks = "root-follows-links",
    DirectoryMissing = "directory-missing",
    DirectoryOwner = "directory-owner",
    DirectoryMode = "directory-mode",
    InfoMissing = "info-missing",
    InfoUnusable = "info-unusable",
    InfoPath = "info-path",
    InfoMode = "info-mode",
    InfoOrphan = "info-orphan",
    OvsdbSilent = "ovsdb-silent",
    DpdkOff = "dpdk-off",
    BridgeMissing = "bridge-missing",
    BridgeNotUserspace = "bridge-not-userspace",
    BridgeNoUplink = "bridge-no-uplink",
    VswitchdUnknown = "vswitchd-unknown",
    VswitchdSilent = "vswitchd-silent",
    InterfaceError = "interface-error",
    PortNotInDatapath = "port-not-in-datapath",
    PortPathTooLong = "port-path-too-long",
    PortPathWrong = "port-path-wrong",
    PortType = "port-type",
    PortMissing = "port-missing",
    GuestAbsent = "guest-absent",
    GuestGone = "guest-gone",
    NotConnected = "not-connected",
    SwitchSocketMissing = "switch-socket-missing",
    SwitchSocketNotMoved = "switch-socket-not-moved",
    SwitchSocketStale = "switch-socket-stale",
    HookDirMissing = "hook-dir-missing",
    HookDirNotWritable = "hook-dir-not-writable",
    ContainerName = "container-name",
    NetworkInfoMissing = "network-info-missing",
    NetworkInfoUnusable = "network-info-unusable",
    NetworkInfoNoDevice = "network-info-no-device",
    NetworkUnusable = "network-unusable",
    NetworkTwice = "network-twice",
    LinkWrong = "link-wrong",
    LinkBroken = "link-broken",
    LinkNotWritable = "link-not-writable",
    PathTooLong = "path-too-long",
    PluginSocketMissing = "plugin-socket-missing",
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which problem.
    pub id: Id,
    /// The file, row or field, with its value.
    pub place: String,
    /// What is wrong with it, and the consequence.
    pub problem: String,
    /// How to fix it: a command where there is one.
    pub fix: String,
}

impl Finding {
    /// Renders each part.
    pub fn new(id: Id, place: impl fmt::Display, problem: impl fmt::Display, fix: impl fmt::Display) -> Self {
        Self { id, place: place.to_string(), problem: problem.to_string(), fix: fix.to_string() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, place, problem, fix } = self;
        write!(f, "{}: {problem}\n  where: {place}\n  fix:   {fix}", id.as_str())
    }
}

/// The result of a diagnosis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found in order, for people.
    pub facts: Vec<String>,
    /// The problems.
    pub findings: Vec<Finding>,
}

impl Report {
    /// As JSON, for programs.
    pub fn json(&self) -> Value {
        let finding = |Finding { id, place, problem, fix }: &Finding| json!({ "id": id.as_str(), "where": place, "problem": problem, "fix": fix });
        let findings: Vec<_> = self.findings.iter().map(finding).collect();
        json!({ "facts": self.facts, "findings": findings })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts.iter().try_for_each(|fact| writeln!(f, "- {fact}"))?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "\n{finding}"))?;
        match self.findings.len() {
            0 => writeln!(f, "\nNo problems found."),
            1 => writeln!(f, "\n1 finding."),
            more => writeln!(f, "\n{more} findings."),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn report(findings: usize) -> Report {
        let finding =
            Finding::new(Id::RootMode, "/run/x, mode 0777", "anybody may write", "chmod 0711 /run/x");
        Report { facts: vec!["a fact".to_owned()], findings: vec![finding; findings] }
    }

    #[test]
    fn people_and_programs_read_the_same() {
        assert_eq!(report(0).to_string(), "- a fact\n\nNo problems found.\n");
        assert_eq!(
            report(1).to_string(),
            "- a fact\n\nroot-mode: anybody may write\n  where: /run/x, mode 0777\n  fix:   chmod 0711 /run/x\n\n1 \
             finding.\n"
        );
        assert!(report(2).to_string().ends_with("\n\n2 findings.\n"));
        assert_eq!(
            report(1).json(),
            json!({"facts": ["a fact"], "findings": [{"id": "root-mode", "where": "/run/x, mode 0777",
                "problem": "anybody may write", "fix": "chmod 0711 /run/x"}]})
        );
    }

    /// The table of docs/doctor.md has exactly the findings that there are.
    #[test]
    fn every_finding_is_documented() {
        let page = include_str!("../../../docs/doctor.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let documented: Vec<_> = rows.map(|(id, _)| id).collect();
        let known: Vec<_> = Id::ALL.iter().map(|id| id.as_str()).collect();
        assert_eq!(documented, known);
        assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len());
    }
}
