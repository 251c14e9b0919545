//! The sidecar's image.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::Image;
use launcher_sim::{Client, HookPoint, InfoResult};

const BINARY: &str = "network-vhostuser-binding";

/// Every VM carries a copy.
const SIZE_MAX: u64 = (49 << 20) / 10;

/// The most that the socket may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);

/// One test, because the run makes directories in the root that the listing must not find.
#[test]
fn holds_the_binary_alone_which_answers_info_from_its_own_root() {
    let image = Image::open("sidecar");
    image.assert_holds_only(&[BINARY]);
    let size = image.files()[0].1;
    assert!(size < SIZE_MAX, "{size} bytes, not under 4.9 MiB");
    image.assert_runs("107:107", &format!("/{BINARY}"));

    let pod = Pod::start(&image.root);
    let socket = pod.socket();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let info = runtime.block_on(Client::new(socket).info()).unwrap();
    let points = [("OnDefineDomain", 0), ("Shutdown", 0)];
    let points = points.map(|(name, priority)| HookPoint { name: name.to_owned(), priority });
    let versions = vec!["v1alpha3".to_owned()];
    assert_eq!(info, InfoResult { name: BINARY.to_owned(), hook_points: points.to_vec(), versions });
    pod.assert_confined();
}

/// A pod of one container.
struct Pod {
    volumes: tempfile::TempDir,
    unshare: Child,
}

impl Pod {
    fn start(root: &Path) -> Self {
        let volumes = tempfile::tempdir().unwrap();
        let (hooks, podinfo) = (volumes.path().join("hooks"), volumes.path().join("podinfo"));
        for dir in [&hooks, &podinfo] {
            fs::create_dir(dir).unwrap();
        }
        chown(&hooks, Some(107), Some(107)).unwrap();
        fs::write(podinfo.join("network-info"), "").unwrap();
        let enter = programs::repository().join("tests/image/enter.sh");
        let unshare = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork"])
            .args([&enter, &root.to_owned(), &hooks, &podinfo])
            .spawn()
            .unwrap();
        Self { volumes, unshare }
    }

    /// The hook socket, once it is there.
    fn socket(&self) -> PathBuf {
        let hooks = self.volumes.path().join("hooks");
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let mut entries = fs::read_dir(&hooks).unwrap().map(|entry| entry.unwrap().path());
            if let Some(socket) = entries.find(|path| path.extension().is_some_and(|end| end == "sock")) {
                return socket;
            }
            sleep(Duration::from_millis(5));
        }
        panic!("no socket within {PATIENCE:?}");
    }

    /// The container's first process, as this namespace knows it.
    fn pid(&self) -> String {
        let children = format!("/proc/{0}/task/{0}/children", self.unshare.id());
        fs::read_to_string(children).unwrap().trim().to_owned()
    }

    /// What would make the answer prove less.
    fn assert_confined(&self) {
        let pid = self.pid();
        assert_eq!(fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap(), format!("/{BINARY}\0"));
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let none = "0000000000000000";
        for (field, value) in [
            ("Uid", "107\t107\t107\t107"),
            ("Gid", "107\t107\t107\t107"),
            ("Groups", ""),
            ("CapInh", none),
            ("CapPrm", none),
            ("CapEff", none),
            ("CapBnd", none),
            ("CapAmb", none),
            ("NoNewPrivs", "1"),
        ] {
            let found = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            assert_eq!(found.map(str::trim), Some(value), "{field}");
        }
        let mounts = fs::read_to_string(format!("/proc/{pid}/mounts")).unwrap();
        let mount = |place: &str| mounts.lines().find(|line| line.split(' ').nth(1) == Some(place));
        let is_read_only = |place| mount(place).unwrap().split(' ').nth(3).unwrap().starts_with("ro");
        assert_eq!(["/", "/etc/podinfo", "/var/run/kubevirt-hooks"].map(is_read_only), [true, true, false]);
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // Not by way of unshare, whose --kill-child ends with a change of user.
        let _ = Command::new("kill").args(["-KILL", &self.pid()]).status();
        let _ = self.unshare.wait();
    }
}
