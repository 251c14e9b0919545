//! Fifty times the input takes about fifty times the processor time, not 2,500 times, whatever there is much of.
//!
//! Processor time of this thread, the best of several runs: other load on the machine does not count.

use std::{fmt::Write as _, time::Duration};

use network_vhostuser_binding::{attachment::Attachment, define::prepare, plan::Attachments, vmi::Vmi};
use rustix::time::{ClockId, clock_gettime};
use vocabulary::{ComputePath, SocketMode};

use crate::{domain::QEMU, sidecar::config};

const FACTOR: usize = 50;

/// Twice what is linear: caches hold less of the larger input.
const FACTOR_MAX: u32 = 100;

/// One call: its VMI, its domain and its attachments.
struct Call {
    vmi: String,
    xml: String,
    attachments: Attachments,
}

/// A VMI with so many NICs of ours, `foreign` others between them, and a domain with this in it.
fn call(nics: usize, mtu: Option<i64>, root: &str, children: &str, devices: &str) -> Call {
    let names: Vec<String> = (0..nics).map(|number| format!("net{number}")).collect();
    let list = |entry: fn(&str) -> String| names.iter().map(|name| entry(name)).collect::<Vec<_>>().join(",");
    let networks = list(|name| format!(r#"{{"name":"{name}","multus":{{}}}}"#));
    let interfaces = list(|name| format!(r#"{{"name":"{name}","binding":{{"name":"vhostuser"}}}}"#));
    let attachment = |name: &String| Attachment {
        socket: ComputePath::file(&format!("/run/{name}/s")).unwrap(),
        mode: SocketMode::Server,
        mac: None,
        mtu,
        file: "network-info".into(),
    };
    Call {
        vmi: format!(
            r#"{{"spec":{{"networks":[{networks}],"domain":{{"devices":{{"interfaces":[{interfaces}]}}}}}}}}"#
        ),
        xml: format!("<domain {root}>{children}<devices>{devices}</devices></domain>"),
        attachments: names.iter().map(|name| (name.parse().unwrap(), attachment(name))).collect(),
    }
}

fn repeat(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut all, number| {
        write!(all, "{}", piece(number)).unwrap();
        all
    })
}

impl Call {
    fn answer(&self) -> String {
        let config = config("/hooks".into());
        let vmi = Vmi::parse(self.vmi.as_bytes()).unwrap();
        let prepared = prepare(&vmi, self.xml.as_bytes(), &config).unwrap().unwrap();
        prepared.define(&self.attachments, &Attachments::new(), &config).unwrap().xml
    }

    /// The call with its own answer as the domain.
    fn again(self) -> Self {
        Self { xml: self.answer(), ..self }
    }

    fn time(&self, runs: usize) -> Duration {
        let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
        let run = |_| {
            let start = now();
            assert!(self.answer().contains("ua-net0"));
            now() - start
        };
        (0..runs).map(run).min().unwrap()
    }
}

fn assert_linear(what: &str, largest: usize, call: impl Fn(usize) -> Call) {
    let small = call(largest / FACTOR).time(10);
    let large = call(largest);
    let is_linear = |runs| large.time(runs) < small * FACTOR_MAX;
    assert!(
        is_linear(1) || is_linear(2),
        "{what}: {small:?}, but more than {FACTOR_MAX} times that for {FACTOR} times the input"
    );
}

#[test]
fn attributes() {
    let attributes = |count| repeat(count, |number| format!(" attribute{number}=''"));
    assert_linear("attributes of one element", 50_000, |count| {
        call(1, None, "", &format!("<wide{}/>", attributes(count)), "")
    });
    assert_linear("attributes of <domain>, elements", 25_000, |count| {
        call(1, Some(9000), &attributes(count), &"<x:override/>".repeat(count), "")
    });
}

#[test]
fn namespaces() {
    assert_linear("prefixes", 15_000, |count| {
        let declared = repeat(count, |number| format!(" xmlns:p{number}='{QEMU}'"));
        let used =
            repeat(count, |number| format!("<p{number}:override><p{number}:device/></p{number}:override>"));
        call(1, Some(9000), &declared, &used, "")
    });
}

#[test]
fn nics_of_ours() {
    assert_linear("NICs", 10_000, |count| call(count, None, "", "", ""));
    assert_linear("NICs with an MTU", 5_000, |count| call(count, Some(9000), "", "", ""));
    assert_linear("NICs that are there", 5_000, |count| call(count, Some(9000), "", "", "").again());
    let other = "<interface><mac address='02:00:00:00:00:01'/></interface>";
    assert_linear("NICs with others", 5_000, |count| call(count, None, "", "", &other.repeat(count)));
}

#[test]
fn other_elements() {
    let other =
        |number| format!("<interface><alias name='ua-x{number}'/><source path='/x{number}'/></interface>");
    assert_linear("other interfaces", 15_000, |count| call(1, None, "", "", &repeat(count, other)));
    assert_linear("memory", 25_000, |count| {
        let backing = format!("<memoryBacking>{}</memoryBacking>", "<source/>".repeat(count));
        let cells = format!("<cpu><numa>{}</numa></cpu>", "<cell/>".repeat(count));
        call(1, None, "", &(backing + &cells), "")
    });
    assert_linear("depth", 90_000, |count| {
        call(1, None, "", &("<a>".repeat(count) + &"</a>".repeat(count)), "")
    });
}

/// What an answer may not outgrow, or the next call would refuse it.
#[test]
fn more_nics_than_a_domain_can_hold_are_refused() {
    for (count, mtu) in [(15_000, None), (10_500, Some(9000))] {
        let Call { vmi, xml, attachments } = call(count, mtu, "", "", "");
        let (vmi, config) = (Vmi::parse(vmi.as_bytes()).unwrap(), config("/hooks".into()));
        let prepared = prepare(&vmi, xml.as_bytes(), &config).unwrap().unwrap();
        let refused = prepared
            .define(&attachments, &Attachments::new(), &config)
            .map(|defined| defined.xml.len())
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "with its vhost-user NICs the domain would have more than the 4 MiB or 100000 elements that this sidecar \
             edits: use fewer of them"
        );
    }
}
