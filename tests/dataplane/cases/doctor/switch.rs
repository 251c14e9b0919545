//! OVS: its database, its process, DPDK, its bridges.

use anyhow::Result;
use rustix::process::Signal;

use super::{
    AS_PRINTED, Do, KILL_SWITCH, Printed, RESTART_SWITCH, START_SWITCH, STOP_SWITCH, Shell, all, between,
    broken,
};
use dataplane::node::Stage;
use dataplane::switch::Uplink;

/// An uplink without hardware, as a shell reads it.
const DEVICE: &str = "'\"net_null0,no-rx=1\"'";

pub(crate) fn doctor_tells_what_is_wrong_with_the_switch(stage: &mut Stage<'_>) -> Result<()> {
    let _uplink = Uplink::new("br1")?;
    // Both of the configuration's switches are bridges of this one.
    let ovs = |what: &str| format!("switches 'ovs-br1', 'ovs-br2', {what}");
    let silent = || ("vswitchd-silent", ovs("ovs-vswitchd's control socket"));
    let unknown = || ("vswitchd-unknown", ovs("/var/run/openvswitch"));
    let no_ovsdb = ("ovsdb-silent", ovs("ovsdb = /var/run/openvswitch/db.sock"));
    let suspend = Do(|stage| stage.node.switch.signal_vswitchd(Signal::STOP));
    let stop_all = Do(|stage| stage.node.switch.stop());
    let start_all = Do(|stage| stage.node.switch.start_again());
    let config = |what: &str| format!("sed -i '{what}' /etc/vhostuser/device-plugin.yaml");
    let misname = config("s|bridge: br1,|bridge: br1, ovsdb: /run/openvswitch/none.sock,|");
    let name = config("s|ovsdb: /run/openvswitch/none.sock, ||");
    all(
        stage,
        &[
            broken(
                &[Shell("ovs-vsctl del-port uplink")],
                ("bridge-no-uplink", "Bridge br1, ports"),
                &[Printed { after: "", before: "", filled_in: ("<PCI address>", DEVICE) }],
            ),
            broken(
                &[Shell("ovs-vsctl del-br br2")],
                ("bridge-missing", "switches 'ovs-br2', bridge = br2"),
                &[
                    AS_PRINTED,
                    Shell("ovs-vsctl set bridge br2 fail-mode=standalone -- add-port br2 peer2-ovs"),
                ],
            ),
            broken(
                // This machine may have no module for it; the row is there all the same.
                &[Shell("ovs-vsctl --no-wait set bridge br2 datapath_type=system")],
                ("bridge-not-userspace", "Bridge br2, datapath_type = 'system'"),
                &[AS_PRINTED],
            ),
            broken(
                &[
                    Shell("ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=false"),
                    RESTART_SWITCH,
                ],
                ("dpdk-off", ovs("Open_vSwitch.dpdk_initialized = false")),
                &[between("", " && systemctl"), RESTART_SWITCH],
            ),
            broken(&[suspend], silent(), &[KILL_SWITCH, START_SWITCH]),
            broken(&[KILL_SWITCH], silent(), &[START_SWITCH]),
            broken(&[STOP_SWITCH], unknown(), &[START_SWITCH]),
            broken(&[stop_all], no_ovsdb, &[start_all]).and(unknown().0, unknown().1),
            broken(
                &[Shell(&misname)],
                ("ovsdb-silent", "switches 'ovs-br1', ovsdb = /run/openvswitch/none.sock"),
                // "Or correct 'ovsdb'."
                &[Shell(&name)],
            ),
        ],
    )
}
