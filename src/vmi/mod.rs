//! The VirtualMachineInstance: only the fields this sidecar reads, in the types it reads them as.
//!
//! Unknown fields are ignored. Never print a whole VMI: it can contain secrets (cloud-init).

mod cpu;
mod error;
mod model;
mod wire;

pub use error::VmiError;
pub use model::{Claim, ClaimKind, Identity, Interface, LaunchSecurity, Network, NetworkSource, Vmi};

#[cfg(test)]
mod tests {
    use super::*;

    fn names(interfaces: &str) -> Vec<String> {
        let json = format!(r#"{{"spec":{{"domain":{{"devices":{{"interfaces":[{interfaces}]}}}}}}}}"#);
        let vmi = Vmi::parse(json.as_bytes()).unwrap();
        vmi.binding_names().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn absent_interfaces_use_no_binding() {
        let a = r#"{"name":"1","binding":{"name":"a"}},{"name":"2","binding":{"name":"a"}}"#;
        let b = r#"{"name":"3","binding":{"name":"b"},"state":"absent"}"#;
        assert_eq!(names(&[a, b, r#"{"name":"4","masquerade":{}}"#].join(",")), ["a"]);
        assert_eq!(names(&[b, &b.replace("absent", "down"), a].join(",")), ["b", "a"]);
    }

    #[test]
    fn anything_but_a_vmi_is_refused_without_its_content() {
        let refusal = |json: &str| Vmi::parse(json.as_bytes()).unwrap_err().to_string();
        let reader =
            "KubeVirt sent a VMI that this sidecar cannot read: check that their versions are compatible";
        for (json, problem) in [
            ("", "the document ends too early (line 1, column 0)"),
            ("{\"spec\":", "the document ends too early (line 1, column 8)"),
            ("secret", "the document is not JSON (line 1, column 1)"),
            ("\"secret\"", "the document is not a JSON object (line 1, column 8)"),
            ("{\"spec\":7}", "spec has an unexpected type (line 1, column 9)"),
            ("{} secret", "the document is not JSON (line 1, column 4)"),
        ] {
            assert_eq!(refusal(json), format!("VMI: {problem}; {reader}"));
        }
        let other = "this is not the VirtualMachineInstance that KubeVirt sends";
        assert_eq!(refusal("{}"), format!("VMI: spec is missing; {other}"));
        assert_eq!(refusal("[null,null,null]"), format!("VMI: spec is missing; {other}"));
        assert_eq!(refusal("{\"spec\":{}}"), format!("VMI: spec.domain is missing; {other}"));
    }
}
