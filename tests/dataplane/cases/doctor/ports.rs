//! Ports of a guest that is there.

use anyhow::Result;

use super::{
    AS_PRINTED, FREE_HUGEPAGES, Printed, RESTART_SWITCH, Shell, TAKE_HUGEPAGES, all, between, broken,
    no_hugepages,
};
use dataplane::application::Application;
use dataplane::node::Stage;
use dataplane::vm::Nic;
use dataplane::wait::{seconds, until};

pub(crate) fn doctor_tells_each_broken_port(stage: &mut Stage<'_>) -> Result<()> {
    let nic = Nic { application_file: true, ..Nic::new("dpdk") };
    let guest = Application::start("dpdk", &nic, &stage.node.agent, &stage.logs)?;
    let answers = |stage: &Stage<'_>| stage.node.peer1.ping(nic.address, 56).is_ok();
    until("the guest to answer", seconds(30), || answers(stage))?;

    // What is broken here must stay so until it is fixed.
    guest.device.forget_port()?;
    let (id, port) = (&guest.device.id, guest.device.id.port_name());
    let socket = format!("/var/run/vhostuser/{id}/pod/vhost.sock");
    let too_long = format!("/run/{}", "x".repeat(103));
    let set = |what: &str| format!("ovs-vsctl set Interface {port} {what}");
    let set_path = |path: &str| set(&format!("options:vhost-server-path={path}"));
    let of_interface = |what: &str| format!("Interface {port}, {what}");
    let of_path = |path: &str| of_interface(&format!("options:vhost-server-path = '{path}'"));
    let (lead_away, lengthen) = (set_path("/run/elsewhere.sock"), set_path(&too_long));
    let delete = format!("ovs-vsctl del-port {port}");
    let listen = format!("{delete} -- add-port br1 {port} -- set Interface {port} type=dpdkvhostuser");
    let attach_nothing =
        "ovs-vsctl add-port br1 wrong -- set Interface wrong type=dpdk options:dpdk-devargs=nothing";
    // Its packets keep the memory that there is; those of another MTU need more.
    let add_uplink = "ovs-vsctl add-port br1 uplink -- set Interface uplink type=dpdk \
                      options:dpdk-devargs='\"net_null0,no-rx=1\"'";
    let enlarge = set("mtu_request=9000");
    let (used_up, place) = no_hugepages()?;

    all(
        stage,
        &[
            broken(&[Shell(&lead_away)], ("port-path-wrong", of_path("/run/elsewhere.sock")), &[AS_PRINTED]),
            broken(
                &[Shell(&lengthen)],
                ("port-path-too-long", of_path(&too_long)),
                &[Printed { after: "", before: "", filled_in: ("<a shorter path>", &socket) }],
            ),
            broken(&[Shell(&listen)], ("port-type", of_interface("type = 'dpdkvhostuser'")), &[AS_PRINTED]),
            broken(
                &[Shell(&delete)],
                ("port-missing", format!("device {id}, {socket}: no port {port}")),
                &[between("by hand: ", "")],
            ),
            broken(
                &[Shell(attach_nothing)],
                ("interface-error", "Interface wrong, error = 'Error attaching device 'nothing' to DPDK'"),
                &[between("then ", " and restart")],
            ),
            broken(
                &[Shell(add_uplink), TAKE_HUGEPAGES, Shell(&enlarge)],
                (
                    "port-not-in-datapath",
                    format!("switches 'ovs-br1', 'ovs-br2', ovs-appctl dpif/show: no {port}"),
                ),
                &[FREE_HUGEPAGES, Shell("ovs-vsctl del-port uplink"), RESTART_SWITCH],
            )
            .and(used_up, place),
        ],
    )?;
    // With the jumbo frames for which there is memory now.
    until("the guest to answer again", seconds(30), || answers(stage))?;
    // Made by hand, it is not the CNI plugin's to remove.
    super::shell(&delete)
}
