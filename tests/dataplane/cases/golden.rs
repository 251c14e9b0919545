//! The golden outputs of the crate's other tests, judged by the libvirt that is installed here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use roxmltree::Document;

use dataplane::domain::without_element;
use dataplane::libvirt::Libvirt;
use dataplane::node::{Stage, note};
use dataplane::process::run;
use dataplane::vm::{Nic, Vm};
use dataplane::wait::seconds;

const GOLDEN: &str = "/opt/golden";
const INPUT: &str = "domain.xml";
const OUTPUT: &str = "expected.xml";

/// Refusals that the VM's owner has asked for. No vhost-user NIC could avoid them.
const ASKED_FOR: &[&str] = &["Only PCI domain 0 is available"];

pub(crate) fn libvirt_accepts_the_golden_outputs(stage: &mut Stage<'_>) -> Result<()> {
    // Any pod's libvirt will do; no port is needed, because nothing is started.
    let pod = stage.pod_without_ports("a", &Vm::new(vec![Nic::new("blue")]))?;
    let outputs = outputs(Path::new(GOLDEN))?;
    ensure!(!outputs.is_empty(), "no {OUTPUT} under tests/golden");
    let mut tally = BTreeMap::<String, usize>::new();
    let mut at_fault = Vec::new();
    for output in &outputs {
        let name = output.strip_prefix(GOLDEN)?.parent().unwrap_or(output).display();
        let verdict = match judge(&pod.libvirt, output)? {
            Verdict::Accepted => "accepted".to_owned(),
            Verdict::ForeignMachine => "of another architecture, valid by the schema".to_owned(),
            Verdict::Refused(reason) if ASKED_FOR.iter().any(|text| reason.contains(text)) => {
                format!("refused as asked for: {}", in_short(&reason))
            }
            Verdict::Refused(reason) if refused_before_the_hook(&pod.libvirt, output)? => {
                format!("refused like its input: {}", in_short(&reason))
            }
            Verdict::Refused(reason) => {
                at_fault.push(format!("{name}: {reason}"));
                "REFUSED".to_owned()
            }
        };
        *tally.entry(verdict).or_default() += 1;
    }
    note(&format!("{} golden outputs", outputs.len()));
    tally.iter().for_each(|(verdict, count)| note(&format!("{count:4} {verdict}")));
    ensure!(at_fault.is_empty(), "refused by libvirt: {}", at_fault.join("\n"));
    Ok(())
}

enum Verdict {
    /// libvirt defines it, and it is valid by libvirt's schema, which is stricter.
    Accepted,
    /// Only the emulator of this machine's own architecture is installed: there is the schema alone.
    ForeignMachine,
    Refused(String),
}

fn judge(libvirt: &Libvirt, file: &Path) -> Result<Verdict> {
    let xml = fs::read_to_string(file)?;
    // This machine has no KVM; everything else stays.
    let xml = xml.replacen("type=\"kvm\"", "type=\"qemu\"", 1).replacen("type='kvm'", "type='qemu'", 1);
    let xml = completed(&xml)?;
    let foreign = !is_x86(&xml)?;
    let defined = if foreign { Ok(()) } else { libvirt.define(&xml).and_then(|()| undefine(libvirt, &xml)) };
    let file = libvirt.write("golden.xml", &without_sysinfo(&xml))?;
    let valid = run(seconds(60), &["virt-xml-validate", &file, "domain"]);
    Ok(match (defined, valid) {
        (Err(error), _) | (Ok(()), Err(error)) => Verdict::Refused(format!("{error:#}")),
        (Ok(()), Ok(_)) if foreign => Verdict::ForeignMachine,
        (Ok(()), Ok(_)) => Verdict::Accepted,
    })
}

/// What every domain must have. Many cases leave it out to show the one thing they are about.
const NEEDED: &[(&str, &str)] = &[
    ("name", "<name>golden</name>"),
    ("memory", "<memory unit=\"MiB\">64</memory>"),
    ("os", "<os><type arch=\"x86_64\" machine=\"q35\">hvm</type></os>"),
];

fn completed(xml: &str) -> Result<String> {
    let tree = Document::parse(xml)?;
    let root = tree.root_element();
    let is_missing = |name: &str| !root.children().any(|node| node.has_tag_name(name));
    let missing: String =
        NEEDED.iter().filter(|(name, _)| is_missing(name)).map(|(_, element)| *element).collect();
    let Some(first) = root.first_child() else {
        return Ok(xml.to_owned());
    };
    let at = first.range().start;
    Ok([&xml[..at], &missing, &xml[at..]].concat())
}

/// Some inputs need hardware or a machine type that is not here, or are odd on purpose. Then the hook is not to blame.
fn refused_before_the_hook(libvirt: &Libvirt, output: &Path) -> Result<bool> {
    Ok(matches!(judge(libvirt, &output.with_file_name(INPUT))?, Verdict::Refused(_)))
}

/// The last complaint, without the file and line that it begins with.
fn in_short(reason: &str) -> &str {
    let line = reason.lines().rfind(|line| line.contains("error")).unwrap_or(reason);
    line.find("error").map_or(line, |at| &line[at..])
}

fn undefine(libvirt: &Libvirt, xml: &str) -> Result<()> {
    let tree = Document::parse(xml)?;
    let name = tree.root_element().children().find(|node| node.has_tag_name("name"));
    libvirt.undefine(name.and_then(|name| name.text()).unwrap_or_default())
}

fn is_x86(xml: &str) -> Result<bool> {
    let tree = Document::parse(xml)?;
    let arch = tree.descendants().find_map(|node| node.attribute("arch"));
    Ok(arch.is_none_or(|arch| arch == "x86_64"))
}

/// KubeVirt writes an empty `<bios>` into sysinfo, which libvirt's schema refuses in the domain of any VM.
fn without_sysinfo(xml: &str) -> String {
    let mut xml = xml.to_owned();
    for element in ["sysinfo", "smbios"] {
        if let Ok(without) = without_element(&xml, element) {
            xml = without;
        }
    }
    xml
}

/// One for each folder whose case is not an error.
fn outputs(golden: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in fs::read_dir(golden).into_iter().flatten() {
        found.push(folder?.path().join(OUTPUT));
    }
    found.retain(|output| output.exists());
    found.sort();
    Ok(found)
}
