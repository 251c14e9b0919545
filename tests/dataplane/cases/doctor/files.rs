//! Hugepages, the socket root, devices' directories, device-info files.

use anyhow::Result;

use super::{
    AS_PRINTED, FREE_HUGEPAGES, KILL_PLUGIN, RESTART_PLUGIN, RESTART_SWITCH, START_PLUGIN, Shell,
    TAKE_HUGEPAGES, all, between, broken, no_hugepages,
};
use dataplane::node::Stage;

const ROOT: &str = "/var/run/vhostuser";

/// Of a device that no pod has.
const DIRECTORY: &str = "/var/run/vhostuser/br1-3/pod";
const INFO: &str = "/var/run/k8s.cni.cncf.io/devinfo/dp/vhostuser.network-br1-br1-3-device.json";

/// Of one that is not configured.
const ORPHAN: &str = "/var/run/k8s.cni.cncf.io/devinfo/dp/vhostuser.network-br1-br1-9-device.json";

pub(crate) fn doctor_tells_what_is_wrong_with_files(stage: &mut Stage<'_>) -> Result<()> {
    let of_root = |what: &str| format!("{ROOT}, {what}");
    let of_directory = |what: &str| format!("{DIRECTORY}, {what}");
    let of_info = |what: &str| format!("{INFO}, vhost-user.{what}");
    let remove = format!("rm {INFO}");
    let write_half = format!("echo '{{' > {INFO}");
    let change_path = format!("sed -i s/br1-3/br1-2/ {INFO}");
    let change_mode = format!("sed -i s/server/client/ {INFO}");
    let leave_orphan = format!("sed s/br1-3/br1-9/ {INFO} > {ORPHAN}");
    let hardened = format!("/proc/self/mountinfo: {ROOT} rw,nosuid,nodev,noexec,relatime");
    all(
        stage,
        &[
            broken(&[TAKE_HUGEPAGES], no_hugepages()?, &[FREE_HUGEPAGES]),
            broken(&[Shell("chmod 0755 /run/vhostuser")], ("root-mode", of_root("mode 0755")), &[AS_PRINTED]),
            broken(
                &[Shell("chown 107:107 /run/vhostuser")],
                ("root-owner", of_root("owner 107:107")),
                &[AS_PRINTED],
            ),
            broken(
                &[Shell("mount -o remount,bind,symfollow /run/vhostuser")],
                ("root-follows-links", hardened),
                &[between("", " (Linux 5.10")],
            ),
            broken(
                &[Shell("chmod 0777 /run/vhostuser/br1-3/pod")],
                ("directory-mode", of_directory("mode 0777")),
                &[AS_PRINTED],
            ),
            broken(
                &[Shell("chown 0:0 /run/vhostuser/br1-3/pod")],
                ("directory-owner", of_directory("owner 0:0")),
                &[AS_PRINTED],
            ),
            broken(
                &[Shell("rmdir /run/vhostuser/br1-3/pod")],
                ("directory-missing", DIRECTORY),
                &[RESTART_PLUGIN],
            ),
            broken(&[Shell(&remove)], ("info-missing", INFO), &[RESTART_PLUGIN]),
            broken(&[Shell(&write_half)], ("info-unusable", INFO), &[RESTART_PLUGIN]),
            broken(
                &[Shell(&change_path)],
                ("info-path", of_info("path = '/var/run/vhostuser/br1-2/vhost.sock'")),
                &[RESTART_PLUGIN],
            ),
            broken(&[Shell(&change_mode)], ("info-mode", of_info("mode = 'client'")), &[RESTART_PLUGIN]),
            broken(&[Shell(&leave_orphan)], ("info-orphan", ORPHAN), &[RESTART_PLUGIN]),
            broken(&[Shell(&leave_orphan)], ("info-orphan", ORPHAN), &[between(", or ", "")]),
        ],
    )
}

/// All that the device plugin has mounted goes, as when it has never run, or when its mounts stay in its container.
pub(crate) fn doctor_tells_a_root_that_is_not_there(stage: &mut Stage<'_>) -> Result<()> {
    let not_mounted = format!("/proc/self/mountinfo: no mount at {ROOT}");
    // The switch's pod has the directories as they were when it started.
    let run_plugin = &[START_PLUGIN, RESTART_SWITCH];
    all(
        stage,
        &[
            broken(
                &[KILL_PLUGIN, Shell("umount --recursive --lazy /run/vhostuser")],
                ("root-not-mounted", not_mounted),
                run_plugin,
            ),
            broken(
                &[KILL_PLUGIN, Shell("umount --recursive --lazy /run/vhostuser; rm -r /run/vhostuser")],
                ("root-missing", ROOT),
                run_plugin,
            ),
        ],
    )
}
