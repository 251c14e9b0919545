//! Who waits for whom: for each device its socket, who listens on it, and the switch's port.

use super::snapshot::{Datapath, InspectedDevice, InspectedSwitch, Listening, Snapshot};
use crate::{config::Switch, switch::database::InterfaceRow};
use findings::{Finding, Id};
use ovs::control;
use vocabulary::{Quoted, SOCKET_FILE, SOCKET_PATH_MAX, SocketMode};

/// One device, seen from both ends.
struct Ends<'n> {
    device: &'n InspectedDevice,
    /// The socket's path on the host.
    socket: String,
    port: String,
    switch: &'n Switch,
    bridge: &'n str,
    inspected: &'n InspectedSwitch,
}

pub(super) fn check(node: &Snapshot, device: &InspectedDevice, findings: &mut Vec<Finding>) {
    let Some((scope, switch)) = node.scope.switches.get(device.scope.switch).zip(node.switch(&device.scope))
    else {
        return;
    };
    let path = node.scope.sockets.host_root.device(&device.scope.id).join(SOCKET_FILE);
    let (socket, port) = (path.display().to_string(), device.scope.id.port_name());
    let ends = Ends {
        device,
        socket,
        port,
        switch: scope,
        bridge: node.scope.bridge(scope).unwrap_or("<bridge>"),
        inspected: switch,
    };
    findings.extend(ends.stale());
    // Without the database nobody can say what is missing.
    if switch.database.is_err() {
        return;
    }
    let finding = match (node.port(&device.scope), device.scope.mode) {
        (None, SocketMode::Server) => ends.no_port(),
        (None, SocketMode::Client) => ends.no_port_for_the_switch_socket(),
        // Told already, and then nothing that the database says of it is true.
        (Some(port), _) if is_broken(port, &switch.datapath) => None,
        (Some(port), mode) if port.mode() != Some(mode) => Some(ends.wrong_type(port)),
        (Some(port), _) if port.is_connected() => ends.wrong_path(port),
        // What is below a root that is not mounted cannot be seen from here.
        (Some(port), _) if !device.socket && node.root.mount.is_none() => ends.wrong_path(port),
        (Some(port), SocketMode::Server) => ends.wrong_path(port).or_else(|| ends.waits_for_the_guest(port)),
        (Some(port), SocketMode::Client) => ends.no_switch_socket(port),
    };
    findings.extend(finding);
}

/// What is connected, and what is not in use.
pub(super) fn facts(node: &Snapshot) -> Vec<String> {
    let of = |device: &InspectedDevice| {
        let port = node.port(&device.scope)?;
        let state = if port.is_connected() { "connected" } else { "not connected" };
        let whose = pod(port).map(|pod| format!(", {pod}")).unwrap_or_default();
        let (id, mode) = (&device.scope.id, device.scope.mode.both_ends());
        Some(format!("device {id} ({mode}): port {}, {state}{whose}", port.name))
    };
    node.devices.iter().filter_map(of).collect()
}

/// Nothing for a port that somebody else has made.
fn pod(port: &InterfaceRow) -> Option<String> {
    let (namespace, pod) = port.pod()?;
    Some(format!("pod {namespace}/{pod}"))
}

fn is_broken(port: &InterfaceRow, datapath: &Datapath) -> bool {
    let absent = matches!(datapath, Datapath::Shows(answer) if !control::has_port(answer, &port.name));
    let cut = port.path().is_some_and(|path| path.len() > SOCKET_PATH_MAX);
    absent || cut || port.error.is_some()
}

impl Ends<'_> {
    fn id(&self) -> &str {
        self.device.scope.id.as_str()
    }

    /// No pod has it: what is in its directory is an earlier one's, and in nobody's way.
    fn is_free(&self) -> bool {
        self.device.in_use == Some(false)
    }

    fn place(&self) -> String {
        format!("device {}, {}", self.id(), self.socket)
    }

    fn add_port(&self) -> String {
        let (port, bridge) = (&self.port, self.bridge);
        format!("ovs-vsctl add-port {bridge} {port} -- set Interface {port} {}", self.settings())
    }

    fn settings(&self) -> String {
        let mode = self.device.scope.mode;
        let path = match mode {
            SocketMode::Server => format!(" options:vhost-server-path={}", self.socket),
            SocketMode::Client => String::new(),
        };
        format!("type={}{path}", mode.port_type())
    }

    /// A socket of a killed switch: DPDK does not bind over it.
    fn stale(&self) -> Option<Finding> {
        let found = self.device.switch_socket.as_ref()?;
        let path = found.path.display();
        match found.listening {
            Listening::Yes => Some(Finding::new(
                Id::SwitchSocketNotMoved,
                &path,
                format_args!(
                    "the switch listens on its socket of device {}, and the device plugin has not moved it to the pod's \
                     directory: the guest waits for it",
                    self.id()
                ),
                "start the device plugin (it moves sockets within a second); its log says why it left this one alone",
            )),
            Listening::No => Some(Finding::new(
                Id::SwitchSocketStale,
                &path,
                format_args!(
                    "a killed switch left its socket of device {}: DPDK fails to bind there ('Address already in \
                     use')",
                    self.id()
                ),
                format_args!("rm {path} && systemctl restart openvswitch-switch"),
            )),
            Listening::Unseen => None,
        }
    }

    fn no_port(&self) -> Option<Finding> {
        let problem = match (self.device.socket, self.device.listening) {
            (true, Listening::Yes) => {
                "the guest listens, and OVS has no port for it: the VM hangs in 'paused (starting up)'"
            }
            (true, Listening::Unseen) if !self.is_free() => {
                "there is a socket and OVS has no port for it: if its VM is there, it hangs in 'paused (starting up)'"
            }
            _ => return None,
        };
        let place = format!("{}: no port {}", self.place(), self.port);
        Some(Finding::new(
            Id::PortMissing,
            place,
            problem,
            format_args!(
                "see the logs of Multus and the CNI plugin for the pod; by hand: {}",
                self.add_port()
            ),
        ))
    }

    fn no_port_for_the_switch_socket(&self) -> Option<Finding> {
        (self.device.socket && !self.is_free()).then(|| {
            let problem = "a socket of the switch is in the pod's directory, and OVS has no port for it: a guest that \
                           connects is refused again and again";
            let place = format!("{}: no port {}", self.place(), self.port);
            Finding::new(
                Id::PortMissing,
                place,
                problem,
                format_args!(
                    "wait a minute for the device plugin to plug it again, or restart the VM; by hand: {}",
                    self.add_port()
                ),
            )
        })
    }

    fn wrong_type(&self, port: &InterfaceRow) -> Finding {
        let mode = self.device.scope.mode;
        let problem = format!(
            "the port's type does not fit the resource's mode '{mode}' ({}): both ends listen, or neither",
            mode.both_ends()
        );
        let place = format!("Interface {}, type = {}", port.name, Quoted(&port.kind));
        Finding::new(
            Id::PortType,
            place,
            problem,
            format_args!("ovs-vsctl set Interface {} {}", port.name, self.settings()),
        )
    }

    fn wrong_path(&self, port: &InterfaceRow) -> Option<Finding> {
        let given = port.path().filter(|_| self.device.scope.mode == SocketMode::Server)?;
        let same = given == self.socket || self.inspected.resolved.get(&port.name) == Some(&self.device.path);
        (!same).then(|| {
            Finding::new(
                Id::PortPathWrong,
                format_args!("Interface {}, options:vhost-server-path = {}", port.name, Quoted(given)),
                format_args!(
                    "OVS uses another path for the socket of device {}: the VM hangs in 'paused (starting up)'",
                    self.id()
                ),
                format_args!(
                    "ovs-vsctl set Interface {} options:vhost-server-path={}",
                    port.name, self.socket
                ),
            )
        })
    }

    fn waits_for_the_guest(&self, port: &InterfaceRow) -> Option<Finding> {
        let whose = pod(port).unwrap_or_else(|| "its pod".to_owned());
        let look = match port.pod() {
            Some((namespace, pod)) => format!("kubectl -n {namespace} get pod {pod}"),
            None => "kubectl get pods -A".to_owned(),
        };
        let remedy = format!("{look}; if it is gone: ovs-vsctl del-port {}", port.name);
        let place = format!("{}; Interface {}, status = disconnected", self.place(), port.name);
        let (id, problem) = match (self.device.socket, self.device.listening) {
            (false, _) => (
                Id::GuestAbsent,
                format!("OVS waits for the guest, and there is no socket: {whose} has no running VM yet"),
            ),
            (true, Listening::No) => (
                Id::GuestGone,
                format!(
                    "OVS waits for the guest, and nobody listens on the socket: QEMU of {whose} has ended"
                ),
            ),
            (true, listening) => {
                let gone = match listening {
                    Listening::Unseen => "QEMU has ended (its process cannot be seen from here), ",
                    Listening::Yes | Listening::No => "",
                };
                let problem = format!(
                    "the socket is there, and OVS is not connected to it: {gone}OVS does not see this directory, or may not \
                     connect"
                );
                let remedy = format!(
                    "grep {} /var/log/openvswitch/ovs-vswitchd.log; ls -l {}; a switch in a pod must mount the socket \
                     root (resource 'dataplane'), one that is not root needs sockets.switchUser",
                    self.socket, self.socket
                );
                return Some(Finding::new(Id::NotConnected, place, problem, remedy));
            }
        };
        Some(Finding::new(id, place, problem, remedy))
    }

    fn no_switch_socket(&self, port: &InterfaceRow) -> Option<Finding> {
        // Told of where the switch has made it.
        if self.device.switch_socket.is_some() {
            return None;
        }
        let missing = !self.device.socket;
        let place = format!("{}; Interface {}, status = disconnected", self.place(), port.name);
        let (id, problem) = match missing {
            true => (
                Id::SwitchSocketMissing,
                "the switch's socket is not in the pod's directory: the guest waits for it",
            ),
            false => (
                Id::GuestAbsent,
                "the switch listens, and no guest has connected: its VM is not running (yet)",
            ),
        };
        let remedy = match missing {
            true => format!(
                "systemctl restart openvswitch-switch, which creates it again (and interrupts every VM of this node for a moment); if \
                 it does not come, ls -l {}/{}: if it is missing there, see ovs-vswitchd.log, otherwise the device plugin's log",
                self.switch.sockets.as_ref().map(ToString::to_string).unwrap_or_default(),
                self.port
            ),
            false => format!("look at the VM; if it is gone: ovs-vsctl del-port {}", port.name),
        };
        Some(Finding::new(id, place, problem, remedy))
    }
}
