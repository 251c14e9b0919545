//! One golden folder.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use similar::TextDiff;

use crate::hook::Sidecar;
use launcher_sim::{plugin::request_form, reduce, render};
use tonic::Status;

const KNOWN_FILES: [&str; 9] = [
    "vmi.json",
    "domain.xml",
    "network-info.json",
    "dra",
    "flags",
    "expected.xml",
    "expected.error",
    "expected.links",
    "expected.warnings",
];

/// What the folder says must come out.
enum Expected {
    Answer(String),
    /// As the file has it.
    Refusal(String),
    /// A new folder, before its first update.
    Nothing,
}

/// What a call returned, as in the expected files.
enum Given {
    Answer(String),
    Refusal(String),
}

pub struct Case {
    folder: PathBuf,
    vmi: Vec<u8>,
    domain: Vec<u8>,
    flags: Vec<String>,
    expected: Expected,
}

type Checked = Result<(), String>;

impl Case {
    pub fn load(folder: &Path) -> Result<Self, String> {
        for entry in folder.read_dir().unwrap() {
            let name = entry.unwrap().file_name();
            if !KNOWN_FILES.contains(&name.to_str().unwrap()) {
                return Err(format!("what is {} for?", name.display()));
            }
        }
        let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
        Ok(Self {
            vmi: fs::read(folder.join("vmi.json")).map_err(|error| format!("vmi.json: {error}"))?,
            domain: fs::read(folder.join("domain.xml")).map_err(|error| format!("domain.xml: {error}"))?,
            flags: text("flags").unwrap_or_default().lines().map(str::to_owned).collect(),
            expected: match (text("expected.xml"), text("expected.error")) {
                (Some(answer), None) => Expected::Answer(answer),
                (None, Some(refusal)) => Expected::Refusal(refusal),
                (None, None) => Expected::Nothing,
                (Some(_), Some(_)) => return Err("both expected.xml and expected.error".to_owned()),
            },
            folder: folder.to_owned(),
        })
    }

    pub async fn check(&self) -> Checked {
        if self.is_without_hooks() {
            return match &self.expected {
                Expected::Answer(answer) => self.check_render(answer),
                Expected::Refusal(refusal) => self.check_refused_render(refusal),
                Expected::Nothing => Err("neither expected.xml nor expected.error".to_owned()),
            };
        }
        let sidecar = Sidecar::start(&self.folder, &self.flags).await;
        match &self.expected {
            Expected::Answer(answer) => {
                self.check_render(answer)?;
                self.check_hook(&sidecar, answer).await
            }
            Expected::Refusal(refusal) => {
                self.check_refusal(&sidecar, refusal).await?;
                self.check_refused_render(refusal)
            }
            Expected::Nothing => Err("neither expected.xml nor expected.error".to_owned()),
        }
    }

    pub async fn update(&self) -> Checked {
        if self.is_without_hooks() {
            let output = self.render();
            same("render's exit code", "Some(0)", &format!("{:?}", output.status.code()))?;
            fs::write(self.folder.join("expected.xml"), output.stdout).unwrap();
            return Ok(());
        }
        let sidecar = Sidecar::start(&self.folder, &self.flags).await;
        let (file, other, content) = match self.call(&sidecar, &self.domain).await {
            Given::Answer(answer) => ("expected.xml", "expected.error", answer),
            Given::Refusal(refusal) => ("expected.error", "expected.xml", refusal),
        };
        fs::write(self.folder.join(file), content).unwrap();
        let _ = fs::remove_file(self.folder.join(other));
        if self.folder.join("expected.links").exists() {
            fs::write(self.folder.join("expected.links"), sidecar.links()).unwrap();
        }
        let warnings = self.folder.join("expected.warnings");
        let _ = fs::remove_file(&warnings);
        match self.render().stderr {
            said if file == "expected.xml" && !said.is_empty() => fs::write(warnings, said).unwrap(),
            _ => {}
        }
        Ok(())
    }

    /// Its paths are those of a mounted volume, so that only `render` can be asked.
    fn is_without_hooks(&self) -> bool {
        self.flags.iter().any(|flag| flag == "--without-hooks")
    }

    fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }

    fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    fn render(&self) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_network-vhostuser-binding"));
        command.env_clear().current_dir(&self.folder);
        command.args(["render", "--vmi", "vmi.json", "--domain", "domain.xml"]).args(&self.flags);
        for (flag, name) in [("--network-info", "network-info.json"), ("--dra-dir", "dra")] {
            if self.has(name) {
                command.args([flag, name]);
            }
        }
        command.output().unwrap()
    }

    fn check_render(&self, answer: &str) -> Checked {
        let output = self.render();
        same("render", answer, &String::from_utf8_lossy(&output.stdout))?;
        let warnings = self.file("expected.warnings").unwrap_or_default();
        same("render's warnings", &warnings, &String::from_utf8_lossy(&output.stderr))?;
        same("render's exit code", "Some(0)", &format!("{:?}", output.status.code()))
    }

    /// For `render` a missing source is invalid usage, with another message.
    fn check_refused_render(&self, refusal: &str) -> Checked {
        if refusal.starts_with("Unavailable\n") && !self.has("network-info.json") && !self.has("dra") {
            return Ok(());
        }
        let output = self.render();
        let (_, message) = refusal.split_once('\n').unwrap_or_default();
        same("render's message", message, &String::from_utf8_lossy(&output.stderr))?;
        same("render's output", "", &String::from_utf8_lossy(&output.stdout))?;
        same("render's exit code", "Some(1)", &format!("{:?}", output.status.code()))
    }

    async fn call(&self, sidecar: &Sidecar, domain: &[u8]) -> Given {
        match sidecar.client.on_define_domain(domain, self.vmi.as_slice()).await {
            Ok(answer) => Given::Answer(answer),
            Err(status) => Given::Refusal(refusal(&status)),
        }
    }

    async fn answer(&self, sidecar: &Sidecar, domain: &str) -> Result<String, String> {
        match self.call(sidecar, domain.as_bytes()).await {
            Given::Answer(answer) => Ok(answer),
            Given::Refusal(refusal) => Err(format!("the hook refuses: {refusal}")),
        }
    }

    async fn check_hook(&self, sidecar: &Sidecar, expected: &str) -> Checked {
        let answer = match self.call(sidecar, &self.domain).await {
            Given::Answer(answer) => answer,
            Given::Refusal(refusal) => return Err(format!("the hook refuses: {refusal}")),
        };
        same("the hook", expected, &answer)?;
        same("the hook on its own answer", expected, &self.answer(sidecar, expected).await?)?;
        self.check_repaired(expected, &self.answer(sidecar, &reduce(expected)).await?)?;
        self.check_plugin(sidecar, expected).await?;
        match self.file("expected.links") {
            Some(links) => same("links", &links, &sidecar.links()),
            None => Ok(()),
        }
    }

    /// What KubeVirt's structs lose is there again.
    fn check_repaired(&self, expected: &str, repaired: &str) -> Checked {
        let given = String::from_utf8_lossy(&self.domain);
        let missing = own_parts(expected).find(|part| !given.contains(part) && !repaired.contains(part));
        missing.map_or(Ok(()), |part| Err(format!("not repaired in KubeVirt's reduced copy: {part}")))
    }

    /// The plugin framework: the same answer, and the same NICs in the form in which it sends the hook's answer on.
    async fn check_plugin(&self, sidecar: &Sidecar, expected: &str) -> Checked {
        let mutate = async |domain: &str| {
            let answer = sidecar.mutate(domain.as_bytes(), &self.vmi).await;
            answer.map_err(|status| format!("the plugin framework refuses: {}", status.message()))
        };
        same("the plugin framework", expected, &mutate(&String::from_utf8_lossy(&self.domain)).await?)?;
        let form = request_form(expected);
        let mutated = mutate(&form).await?;
        self.check_repaired(expected, &mutated)?;
        same("the plugin framework on libvirtxml's rendering", &mutated, &mutate(&mutated).await?)?;
        self.check_repaired(expected, &mutate(&render(&mutated)).await?)
    }

    async fn check_refusal(&self, sidecar: &Sidecar, expected: &str) -> Checked {
        match self.call(sidecar, &self.domain).await {
            Given::Refusal(refusal) => same("the hook's refusal", expected, &refusal)?,
            Given::Answer(_) => return Err("the hook did not refuse".to_owned()),
        }
        match sidecar.mutate(&self.domain, &self.vmi).await {
            Err(status) => same("the plugin framework's refusal", expected, &refusal(&status))?,
            Ok(_) => return Err("the plugin framework did not refuse".to_owned()),
        }
        same("links of a refused call", "", &sidecar.links())?;
        let info = sidecar.client.info().await.map_err(|status| status.to_string())?;
        same("Info after the refusal", "[\"v1alpha3\"]", &format!("{:?}", info.versions))
    }
}

/// As the files have it.
fn refusal(status: &Status) -> String {
    format!("{:?}\n{}\n", status.code(), status.message())
}

/// What this sidecar writes: its NICs, but for an address in them, and MTUs.
fn own_parts(answer: &str) -> impl Iterator<Item = &str> {
    let nics = answer.match_indices(r#"<interface type="vhostuser"><source type="unix" "#).map(|(at, _)| {
        let end = ["<address", "<alias"].iter().filter_map(|stop| answer[at..].find(stop)).min();
        &answer[at..at + end.unwrap()]
    });
    let mtus = answer.match_indices(r#"property name="host_mtu" type="unsigned""#);
    nics.chain(mtus.map(|(at, _)| &answer[at..at + answer[at..].find("/>").unwrap()]))
}

fn same(what: &str, expected: &str, given: &str) -> Checked {
    if expected == given {
        return Ok(());
    }
    let mut complaint = format!("{what}:\n");
    let diff = TextDiff::from_lines(expected, given);
    write!(complaint, "{}", diff.unified_diff().context_radius(1).header("expected", "given")).unwrap();
    Err(complaint)
}
