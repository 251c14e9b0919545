//! What the runtime says in `CNI_…` variables.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::error::CniError;
use node::fields::Mistakes;
use vocabulary::{MacAddr, Quoted};

/// The variables, by name.
pub type Variables = BTreeMap<String, String>;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Attach.
    Add(Target),
    /// Look whether it is still as ADD has made it.
    Check(Target),
    /// Detach.
    Del(Target),
    /// Detach whatever is not listed.
    Gc,
    /// Tell whether ADD could succeed.
    Status,
    /// Tell the versions.
    Version,
}

/// One interface of one container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// The runtime's name for the container.
    pub container: String,
    /// The interface in it.
    pub ifname: String,
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interface {} of container {}", Quoted(&self.ifname), Quoted(&self.container))
    }
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which interface.
    pub attachment: Attachment,
    /// The container's network namespace; may be empty for DEL.
    pub netns: String,
    /// What else the runtime knows.
    pub args: Args,
}

/// What `CNI_ARGS` tells. Other keys mean nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// The pod's namespace.
    pub pod_namespace: Option<String>,
    /// The pod's name.
    pub pod_name: Option<String>,
    /// The pod's UID.
    pub pod_uid: Option<String>,
    /// The MAC address that the interface is to have.
    pub mac: Option<MacAddr>,
}

/// The environment, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// What is to be done.
    pub request: Request,
    /// Where other plugins are.
    pub path: Vec<PathBuf>,
    /// The variables as they came, for other plugins.
    pub variables: Variables,
}

impl Environment {
    /// Reads the variables that the command needs.
    ///
    /// # Errors
    /// Every one that is missing or wrong.
    pub fn parse(variables: Variables) -> Result<Self, CniError> {
        let mistakes = Mistakes::default();
        let request = Source { variables: &variables, mistakes: &mistakes }.request();
        let path = match variables.get("CNI_COMMAND").map(String::as_str) {
            Some("ADD" | "CHECK" | "DEL" | "GC" | "STATUS") => search_path(&variables),
            _ => Vec::new(),
        };
        let request = mistakes.or(request).map_err(CniError::Environment)?;
        Ok(Self { request, path, variables })
    }
}

/// Needed only to find an IPAM plugin, which says so where there is none.
fn search_path(variables: &Variables) -> Vec<PathBuf> {
    let path = variables.get("CNI_PATH").map(String::as_str).unwrap_or_default();
    path.split(':').filter(|part| !part.is_empty()).map(PathBuf::from).collect()
}

struct Source<'e> {
    variables: &'e Variables,
    mistakes: &'e Mistakes,
}

impl Source<'_> {
    fn request(&self) -> Option<Request> {
        match self.get("CNI_COMMAND") {
            "ADD" => self.target(true).map(Request::Add),
            "CHECK" => self.target(true).map(Request::Check),
            "DEL" => self.target(false).map(Request::Del),
            "GC" => Some(Request::Gc),
            "STATUS" => Some(Request::Status),
            "VERSION" => Some(Request::Version),
            "" => self.wrong("CNI_COMMAND", "is missing: this program is called by a container runtime"),
            other => {
                let known = "only ADD, DEL, CHECK, GC, STATUS and VERSION";
                self.wrong("CNI_COMMAND", &format!("{} is not known, {known}", Quoted(other)))
            }
        }
    }

    /// DEL must not fail for what it does not need.
    fn target(&self, attaching: bool) -> Option<Target> {
        let container = self.required("CNI_CONTAINERID", is_container_id, "no container id");
        let ifname = self.required("CNI_IFNAME", is_interface_name, "no interface name");
        let (mut netns, mut args) = (Some(self.get("CNI_NETNS").to_owned()), Args::default());
        if attaching {
            netns = self.required("CNI_NETNS", |_| true, "");
            args = self.args();
        }
        Some(Target {
            attachment: Attachment { container: container?, ifname: ifname? },
            netns: netns?,
            args,
        })
    }

    fn args(&self) -> Args {
        let mut args = Args::default();
        for pair in self.get("CNI_ARGS").split(';').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                let _: Option<()> = self.wrong("CNI_ARGS", &format!("{} is not KEY=VALUE", Quoted(pair)));
                continue;
            };
            let text = || (!value.is_empty()).then(|| value.to_owned());
            match key {
                "K8S_POD_NAMESPACE" => args.pod_namespace = text(),
                "K8S_POD_NAME" => args.pod_name = text(),
                "K8S_POD_UID" => args.pod_uid = text(),
                "MAC" if !value.is_empty() => {
                    args.mac = value.parse().map_err(|error| self.mistakes.add("CNI_ARGS: MAC", error)).ok();
                }
                _ => {}
            }
        }
        args
    }

    fn get(&self, name: &str) -> &str {
        self.variables.get(name).map(String::as_str).unwrap_or_default()
    }

    fn required(&self, name: &str, fits: fn(&str) -> bool, problem: &str) -> Option<String> {
        match self.get(name) {
            "" => self.wrong(name, "is missing"),
            value if fits(value) => Some(value.to_owned()),
            value => self.wrong(name, &format!("{} is {problem}", Quoted(value))),
        }
    }

    fn wrong<T>(&self, name: &str, problem: &str) -> Option<T> {
        self.mistakes.add(name, problem);
        None
    }
}

/// A letter or digit, then letters, digits, `_`, `.` and `-`; networks' names have the same form.
pub(super) fn is_container_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(allowed)
}

fn is_interface_name(text: &str) -> bool {
    let allowed = |c: char| c != '/' && c != ':' && !c.is_whitespace() && !c.is_control();
    text.len() < 16 && text != "." && text != ".." && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn refusal(pairs: &[(&str, &str)]) -> String {
        let error = Environment::parse(variables(pairs)).unwrap_err();
        assert_eq!(error.code(), 4);
        error.to_string()
    }

    #[test]
    fn reads_what_multus_passes() {
        let environment = Environment::parse(variables(&[
            ("CNI_COMMAND", "ADD"),
            ("CNI_CONTAINERID", "0a1b"),
            ("CNI_NETNS", "/var/run/netns/x"),
            ("CNI_IFNAME", "pod6c270ef2f25"),
            (
                "CNI_ARGS",
                "IgnoreUnknown=true;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=0a1b;K8S_POD_UID=u;\
                 MAC=02:00:00:00:00:01",
            ),
            ("CNI_PATH", "/opt/cni/bin:/usr/libexec/cni"),
        ]))
        .unwrap();
        let Request::Add(target) = environment.request else { panic!("no ADD") };
        assert_eq!(target.attachment.to_string(), "interface 'pod6c270ef2f25' of container '0a1b'");
        assert_eq!(target.args.pod_namespace.as_deref(), Some("ns"));
        assert_eq!(target.args.pod_name.as_deref(), Some("p"));
        assert_eq!(target.args.pod_uid.as_deref(), Some("u"));
        assert_eq!(target.args.mac.unwrap().to_string(), "02:00:00:00:00:01");
        assert_eq!(environment.path.len(), 2);
    }

    #[test]
    fn tells_every_mistake() {
        assert_eq!(
            refusal(&[
                ("CNI_COMMAND", "ADD"),
                ("CNI_CONTAINERID", "-a"),
                ("CNI_IFNAME", "sixteen-letters-"),
                ("CNI_ARGS", "MAC=x;novalue"),
            ]),
            "environment: CNI_CONTAINERID: '-a' is no container id; CNI_IFNAME: 'sixteen-letters-' is no interface name; \
             CNI_NETNS: is missing; CNI_ARGS: MAC: 'x' is not a MAC address: expected six octets of two hex digits, separated by ':' or '-'; CNI_ARGS: 'novalue' is not KEY=VALUE"
        );
        assert_eq!(
            refusal(&[]),
            "environment: CNI_COMMAND: is missing: this program is called by a container runtime"
        );
        assert_eq!(
            refusal(&[("CNI_COMMAND", "PLUG")]),
            "environment: CNI_COMMAND: 'PLUG' is not known, only ADD, DEL, CHECK, GC, STATUS and VERSION"
        );
        assert!(Environment::parse(variables(&[("CNI_COMMAND", "STATUS")])).is_ok());
    }

    #[test]
    fn del_asks_for_no_more_than_it_needs() {
        let environment = Environment::parse(variables(&[
            ("CNI_COMMAND", "DEL"),
            ("CNI_CONTAINERID", "a"),
            ("CNI_IFNAME", "net1"),
            ("CNI_ARGS", "broken;MAC=x"),
            ("CNI_PATH", "/bin"),
        ]))
        .unwrap();
        assert!(matches!(environment.request, Request::Del(target) if target.netns.is_empty()));
        assert!(Environment::parse(variables(&[("CNI_COMMAND", "VERSION")])).is_ok());
    }

    #[test]
    fn names_are_the_specifications() {
        for bad in ["", ".", "..", "a/b", "a:b", "a b", "sixteen-letters-"] {
            assert!(bad.is_empty() || !is_interface_name(bad), "{bad}");
        }
        for bad in ["", "_a", ".a", "a b", "a/b", "ž"] {
            assert!(!is_container_id(bad), "{bad}");
        }
        assert!(is_container_id("A0_.-") && is_interface_name("net1"));
    }
}
