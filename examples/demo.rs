//! The sidecar's whole life in one pod: `make demo`.
//!
//! Starts the real binary on a real socket and drives it the way virt-launcher does, on the domain that KubeVirt
//! makes of a VM with two vhost-user NICs. Ends with an error if anything is not as it says.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use launcher_sim::{
    Client, Collect, Exchange, Layout, Machine, Pace, Release, boot_over, migration_target_over,
    placeholders_for,
};
use similar::{ChangeTag, TextDiff};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const VMI: &str = include_str!("demo/vmi.json");
const DOMAIN: &str = include_str!("demo/domain.xml");
const NETWORK_INFO: &str = include_str!("demo/network-info.json");

/// The VMI's interfaces: one of KubeVirt's own and two of ours.
const INTERFACES: usize = 3;

/// The links that must come to be, by name and target.
const LINKS: [(&str, &str); 2] =
    [("pod0234249e469", "/var/run/vhost-user/54ed0871"), ("pod34040c6f57d", "/var/run/vhost-user/d331da48")];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let pod = Pod::new()?;
    println!("A KubeVirt 1.8 pod as its containers see it, in a temporary directory shown as POD.");

    let mut sidecar = pod.start()?;
    let client = pod.discover().await?;
    let calls = boot(&client).await?;
    pod.show_log()?;
    pod.show_links()?;
    repaired(&calls)?;
    pod.migration_target(&client).await?;
    shut_down(&pod, &client, &mut sidecar).await?;

    println!(
        "\nEverything worked as described. Try it on your own VM: network-vhostuser-binding render --help"
    );
    Ok(())
}

fn step(title: &str) {
    println!("\n== {title}");
}

fn ensure(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(format!("not as said: {what}").into()) }
}

/// The directories that KubeVirt mounts.
struct Pod(TempDir);

impl Pod {
    fn new() -> Outcome<Self> {
        let pod = Self(tempfile::tempdir()?);
        fs::create_dir_all(pod.hook_dir())?;
        fs::create_dir(pod.path("podinfo"))?;
        fs::write(pod.path("podinfo/network-info"), NETWORK_INFO)?;
        Ok(pod)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// The sidecar's part of the volume that it shares with the compute container.
    fn hook_dir(&self) -> PathBuf {
        self.path("hooks/hook-sidecar-0")
    }

    /// A path as this program prints it.
    fn shown(&self, path: &Path) -> String {
        path.display().to_string().replace(&self.0.path().display().to_string(), "POD")
    }

    fn start(&self) -> Outcome<Child> {
        step("The sidecar starts. In a cluster it needs no arguments; here they say where its pod is.");
        println!(
            "   network-vhostuser-binding --hook-dir POD/hooks/hook-sidecar-0 --network-info POD/podinfo/network-info"
        );
        let child = Command::new(binary()?)
            .env_clear()
            .env("CONTAINER_NAME", "hook-sidecar-0")
            .arg("--hook-dir")
            .arg(self.hook_dir())
            .arg("--network-info")
            .arg(self.path("podinfo/network-info"))
            .arg("--log-format=text")
            .stderr(Stdio::from(fs::File::create(self.path("log"))?))
            .kill_on_drop(true)
            .spawn()?;
        Ok(child)
    }

    async fn discover(&self) -> Outcome<Client> {
        step("virt-launcher finds the sidecar's socket and asks which calls it wants.");
        let collect = Collect {
            dir: self.path("hooks"),
            layout: Layout::PerSidecar,
            pace: Pace::TickBetween(Duration::from_millis(50)),
            sidecars: 1,
            timeout: Duration::from_secs(10),
        };
        let found = collect.collect().await?.pop().ok_or("no sidecar")?;
        let hook_points: Vec<_> = found.info.hook_points.iter().map(|point| point.name.as_str()).collect();
        println!("   {}", self.shown(&found.socket));
        println!("   Info: {} {}, calls for {}", found.info.name, found.version, hook_points.join(" and "));
        ensure(hook_points == ["OnDefineDomain", "Shutdown"], "the hook points")?;
        Ok(found.client())
    }

    fn show_log(&self) -> Outcome {
        step("What the sidecar logged about each NIC (as JSON in a cluster): both ends of its socket.");
        let log = fs::read_to_string(self.path("log"))?;
        let nics: Vec<_> =
            log.lines().filter_map(|line| line.split_once("vhost-user NIC ")).take(2).collect();
        ensure(nics.len() == 2, "a line for each NIC")?;
        nics.iter().for_each(|(_, fields)| println!("   {fields}"));
        Ok(())
    }

    fn show_links(&self) -> Outcome {
        step(
            "The links: the domain names the link, whose name is the same on every node; its target differs.",
        );
        for (name, target) in LINKS {
            let link = self.hook_dir().join("userdata").join(name);
            println!("   {} -> {target}", self.shown(&link));
            ensure(fs::read_link(link)? == Path::new(target), "the link")?;
        }
        println!(
            "   They dangle here. In a cluster the compute container has the device plugin's directories mounted."
        );
        Ok(())
    }

    /// In truth that is another pod with a sidecar of its own; the same process serves here as another VMI's.
    async fn migration_target(&self, client: &Client) -> Outcome {
        step(
            "On the target of a live migration KubeVirt discards the hook's answer. What counts is its links.",
        );
        let elsewhere = NETWORK_INFO.replace("54ed0871", "aaaa0000").replace("d331da48", "bbbb1111");
        fs::write(self.path("podinfo/network-info"), elsewhere)?;
        let target = VMI.replacen("\"uid\": \"50e49fa8", "\"uid\": \"00000000", 1);
        migration_target_over(DOMAIN, std::slice::from_ref(client), target.as_bytes()).await?;
        for ((name, _), device) in LINKS.iter().zip(["aaaa0000", "bbbb1111"]) {
            let link = fs::read_link(self.hook_dir().join("userdata").join(name))?;
            println!("   {name} -> {}", link.display());
            ensure(link == Path::new("/var/run/vhost-user").join(device), "the target's link")?;
        }
        Ok(())
    }
}

/// Cargo puts examples into a directory below the binary's.
fn binary() -> Outcome<PathBuf> {
    let this = env::current_exe()?;
    let dir = this.ancestors().nth(2).ok_or("this example is not in Cargo's target directory")?;
    let binary = dir.join("network-vhostuser-binding");
    ensure(binary.is_file(), "the sidecar is built: run 'cargo build' (or 'make demo')")?;
    Ok(binary)
}

async fn boot(client: &Client) -> Outcome<Vec<Exchange>> {
    step(
        "A boot: three calls of OnDefineDomain. The second passes KubeVirt's domain; this is what the answer adds:",
    );
    let machine = Machine::new(Release::V1_8, placeholders_for(INTERFACES));
    let calls = boot_over(machine, DOMAIN, std::slice::from_ref(client), VMI.as_bytes())
        .await
        .map_err(|refused| refused.error)?;
    ensure(calls.len() == 3 && calls[1].given == DOMAIN, "three calls, the second with KubeVirt's domain")?;
    print_diff(&calls[1].given, &calls[1].answer);
    let removed = TextDiff::from_lines(DOMAIN, &calls[1].answer)
        .iter_all_changes()
        .any(|change| change.tag() == ChangeTag::Delete);
    ensure(!removed, "nothing of KubeVirt's domain is touched")?;
    println!("   None of the {} input bytes was changed.", DOMAIN.len());
    Ok(calls)
}

/// The answer writes each element of ours in one line; here it is broken up for the eye.
fn print_diff(before: &str, after: &str) {
    let diff = TextDiff::from_lines(before, after);
    for group in diff.grouped_ops(1) {
        println!("   @@");
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end();
            let indent = &line[..line.len() - line.trim_start().len()];
            let broken = match change.tag() {
                ChangeTag::Insert => pieces(line.trim_start()),
                ChangeTag::Equal | ChangeTag::Delete => vec![line.trim_start().to_owned()],
            };
            for piece in broken {
                println!("   {}{}{piece}", change.tag(), indent.replace('\t', "  "));
            }
        }
    }
}

/// `<a><b/></a>` as `<a>`, `  <b/>`, `</a>`.
fn pieces(element: &str) -> Vec<String> {
    let lines = element.replace("><", ">\n<");
    let mut depth = 0;
    lines
        .lines()
        .map(|line| {
            if line.starts_with("</") {
                depth -= 1;
            }
            let piece = format!("{}{line}", "  ".repeat(depth));
            if !line.starts_with("</") && !line.ends_with("/>") {
                depth += 1;
            }
            piece
        })
        .collect()
}

/// The third call brings what KubeVirt's own structs keep of the second answer.
fn repaired(calls: &[Exchange]) -> Outcome {
    step("The third call returns our NICs as far as KubeVirt's structs could hold them. dpdk1, for example:");
    let [_, second, third] = calls else { return Err("three calls".into()) };
    let kept = nic(&third.given, "ua-dpdk1").ok_or("dpdk1 comes back")?;
    println!("   {kept}");
    println!(
        "   Lost: the socket's type and path, the ring sizes and, at the domain's end, the MTU of 9000."
    );
    for lost in ["vhost.sock", "rx_queue_size", "host_mtu"] {
        ensure(second.answer.contains(lost) && !third.given.contains(lost), "what KubeVirt loses")?;
    }
    println!("   libvirt would refuse that. The answer has both NICs as they were:");
    for alias in ["ua-dpdk0", "ua-dpdk1"] {
        let nic_of_second = nic(&second.answer, alias);
        let same = nic_of_second.is_some() && nic_of_second == nic(&third.answer, alias);
        ensure(same, "the third answer has the second's NICs")?;
        println!("   {alias}: the same element, byte for byte");
    }
    ensure(third.answer.contains(r#"name="host_mtu" type="unsigned" value="9000""#), "the MTU is back")?;
    println!("   host_mtu of ua-dpdk1: 9000 again");
    Ok(())
}

/// The element of one of our NICs, without white space between its tags.
fn nic(xml: &str, alias: &str) -> Option<String> {
    let end = "</interface>";
    let found = xml.split("<interface ").skip(1).filter_map(|rest| rest.split(end).next());
    let own = found.filter(|element| element.contains(&format!("<alias name=\"{alias}\"")));
    let compact: Vec<String> = own
        .map(|element| element.lines().map(str::trim).collect::<String>())
        .map(|element| format!("<interface {element}{end}"))
        .collect();
    match compact.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

async fn shut_down(pod: &Pod, client: &Client, sidecar: &mut Child) -> Outcome {
    step("The VM is gone: virt-launcher calls Shutdown.");
    client.shutdown().await?;
    let status = timeout(Duration::from_secs(5), sidecar.wait()).await??;
    println!("   exit code {}", status.code().map_or("none".to_owned(), |code| code.to_string()));
    ensure(status.success(), "exit code 0, or KubeVirt would count the pod as failed")?;
    let left: Vec<_> =
        fs::read_dir(pod.hook_dir())?.map(|entry| Ok(entry?.file_name())).collect::<Outcome<_>>()?;
    ensure(left == ["userdata"], "the socket is removed")
}
