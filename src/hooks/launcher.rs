//! Is virt-launcher still there? The containers of a pod share its network namespace, so the launcher's and
//! libvirt's sockets appear in this container's `/proc/net/unix`, whatever their mount namespace.

/// virt-launcher's command socket (under its first and its later name) and libvirt's.
const SOCKETS: [&str; 3] = ["launcher-init-sock", "launcher-sock", "virtqemud-sock"];

/// Reads, 1 s apart, without any of the sockets before the launcher counts as gone: it renames its own once.
const READS: u32 = 3;

/// Counts the reads since a socket was last there.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: bool,
    missed: u32,
}

impl Watch {
    /// Takes the content of `/proc/net/unix` at a tick; true once the launcher was there and is gone.
    pub(super) fn observe(&mut self, table: &str) -> bool {
        self.missed = self.missed.saturating_add(1);
        self.glance(table);
        self.seen && self.missed >= READS
    }

    /// Like `observe`, but never counts a miss.
    pub(super) fn glance(&mut self, table: &str) {
        if lists_launcher(table) {
            *self = Self { seen: true, missed: 0 };
        }
    }

    /// Whether the launcher has been there at all.
    pub(super) fn seen(&self) -> bool {
        self.seen
    }
}

fn lists_launcher(table: &str) -> bool {
    table
        .lines()
        // Nearly all lines end otherwise, and nearly every look finds nothing new.
        .filter(|line| SOCKETS.iter().any(|name| line.ends_with(name)))
        .filter_map(|line| line.split_ascii_whitespace().nth(7))
        .filter_map(|path| path.rsplit_once('/'))
        .any(|(_, name)| SOCKETS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n";

    fn table(paths: &[&str]) -> String {
        let line =
            |path: &&str| format!("0000000000000000: 00000002 00000000 00010000 0001 01 12345 {path}\n");
        HEADER.to_owned() + &paths.iter().map(line).collect::<String>()
    }

    #[test]
    fn gone_means_seen_before_and_missed_three_times() {
        let with = |name: &str| table(&["@/tmp/x", &format!("/var/run/kubevirt/sockets/{name}")]);
        let without =
            table(&["/var/run/kubevirt-hooks/vhostuser.sock", "/x/launcher-sock-not", "launcher-sock", ""]);
        let mut watch = Watch::default();
        for _ in 0..5 {
            assert!(!watch.observe(&without));
        }
        for name in SOCKETS {
            assert!(!watch.observe(&with(name)));
            assert!(watch.seen());
            assert!(!watch.observe(&without));
            assert!(!watch.observe(&without));
        }
        assert!(watch.observe(&without));
    }
}
