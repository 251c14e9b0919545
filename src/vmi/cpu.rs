//! KubeVirt's rule for the number of queues of a multiqueue NIC (`converter/network`, `pkg/vcpu`).

use super::error::VmiError;

/// The parts of a VMI that the rule looks at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Cpu {
    pub(super) sockets: u64,
    pub(super) cores: u64,
    pub(super) threads: u64,
    /// `resources.limits.cpu`, as written.
    pub(super) limit: Option<String>,
    /// `resources.requests.cpu`, as written.
    pub(super) request: Option<String>,
}

impl Cpu {
    /// sockets × cores × threads, each 1 where it is not set; without any of them the CPU limit, else the CPU
    /// request, rounded up, else 1. `maxSockets` does not count. Not yet capped.
    pub(super) fn network_queues(&self) -> Result<u64, VmiError> {
        if (self.sockets, self.cores, self.threads) != (0, 0, 0) {
            let factors = [self.sockets, self.cores, self.threads];
            return Ok(factors.into_iter().map(|factor| factor.max(1)).fold(1, u64::saturating_mul));
        }
        match (&self.limit, &self.request) {
            (Some(limit), _) => cpus("limits.cpu", limit),
            (None, Some(request)) => cpus("requests.cpu", request),
            (None, None) => Ok(1),
        }
    }
}

fn cpus(field: &'static str, quantity: &str) -> Result<u64, VmiError> {
    let bad = || VmiError::BadCpuQuantity { field, value: quantity.to_owned() };
    rounded_up(quantity).ok_or_else(bad)
}

/// A Kubernetes quantity as a whole number, rounded up as `Quantity.Value()` does.
fn rounded_up(quantity: &str) -> Option<u64> {
    let unit = quantity.find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E'));
    let exponent_unit = quantity.strip_suffix('E').map(str::len);
    let (number, unit) = quantity.split_at(exponent_unit.or(unit).unwrap_or(quantity.len()));
    let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let number = plain.then(|| number.parse::<f64>().ok()).flatten()?;
    let value = match unit {
        "n" => number / 1e9,
        "u" => number / 1e6,
        "m" => number / 1e3,
        "" => number,
        "k" => number * 1e3,
        "M" => number * 1e6,
        "G" => number * 1e9,
        "T" => number * 1e12,
        "P" => number * 1e15,
        "E" => number * 1e18,
        "Ki" => number * 1024.0,
        "Mi" => number * 1024.0_f64.powi(2),
        "Gi" => number * 1024.0_f64.powi(3),
        "Ti" => number * 1024.0_f64.powi(4),
        "Pi" => number * 1024.0_f64.powi(5),
        "Ei" => number * 1024.0_f64.powi(6),
        _ => return None,
    };
    // `as` saturates; a negative number of CPUs becomes 0 and later 1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(value.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(sockets: u64, cores: u64, threads: u64) -> u64 {
        Cpu { sockets, cores, threads, limit: Some("9".into()), request: None }.network_queues().unwrap()
    }

    #[test]
    fn the_topology_counts_first() {
        assert_eq!(topology(2, 3, 2), 12);
        assert_eq!(topology(0, 4, 0), 4);
        assert_eq!(topology(0, 0, 0), 9);
        assert_eq!(topology(u64::MAX, 2, 1), u64::MAX);
    }

    #[test]
    fn then_the_limit_then_the_request_then_one() {
        let of = |limit: Option<&str>, request: Option<&str>| {
            let cpu =
                Cpu { limit: limit.map(Into::into), request: request.map(Into::into), ..Cpu::default() };
            cpu.network_queues()
        };
        assert_eq!(of(Some("1500m"), Some("9")), Ok(2));
        assert_eq!(of(None, Some("3")), Ok(3));
        assert_eq!(of(None, None), Ok(1));
        assert_eq!(
            of(Some("many"), None).unwrap_err().to_string(),
            "VMI: spec.domain.resources.limits.cpu: 'many' is not a number of CPUs; correct it in the VM"
        );
    }

    #[test]
    fn quantities_are_rounded_up() {
        let table = [
            ("1", 1),
            ("3000m", 3),
            ("3001m", 4),
            ("0.5", 1),
            ("1e1", 10),
            ("1E1", 10),
            ("2k", 2000),
            ("1Ki", 1024),
            ("1E", 1_000_000_000_000_000_000),
            ("500000u", 1),
            ("1n", 1),
            ("0", 0),
        ];
        for (quantity, value) in table {
            assert_eq!(rounded_up(quantity), Some(value), "{quantity}");
        }
        for bad in ["", "m", "1x", "1mm", "inf", "NaN", "0x10", "1 "] {
            assert_eq!(rounded_up(bad), None, "{bad}");
        }
    }
}
