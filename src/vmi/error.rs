/// A VMI that cannot be read, or lacks what every VMI has. Contains the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VmiError {
    /// Not JSON, or a field has a different type than in KubeVirt.
    #[error(
        "VMI: {} {problem} (line {line}, column {column}); KubeVirt sent a VMI that this sidecar cannot read: check that \
         their versions are compatible", .field
    )]
    Unreadable {
        /// The path to the field, `.` for the whole.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
        /// Line in the JSON text, from 1.
        line: usize,
        /// Column in the JSON text, from 1.
        column: usize,
    },
    /// A part that every VMI has is missing.
    #[error("VMI: {0} is missing; this is not the VirtualMachineInstance that KubeVirt sends")]
    Missing(&'static str),
    /// A CPU quantity that multiqueue needs.
    #[error("VMI: spec.domain.resources.{field}: {value} is not a number of CPUs; correct it in the VM", value = vocabulary::Quoted(.value))]
    BadCpuQuantity {
        /// `limits.cpu` or `requests.cpu`.
        field: &'static str,
        /// Its value.
        value: String,
    },
}
