//! What ADD and CHECK are asked for, by the administrator and by the runtime, before anything on the node is looked at.

use super::{
    call::Call,
    config::{self, Network, Nic},
    environment::Target,
    error::{CniError, DeviceInfoProblem},
    ids,
    port::Wish,
    result::Interface,
    runtime::Runtime,
};
use node::fields::Mistakes;
use vocabulary::{SocketMode, SocketPath};

/// Everything that was asked for.
#[derive(Debug)]
pub(super) struct Asked<'c> {
    pub(super) target: &'c Target,
    pub(super) network: Network,
    pub(super) nic: Nic,
    pub(super) runtime: Runtime,
    /// The device's socket on the host.
    pub(super) socket: SocketPath,
}

impl<'c> Asked<'c> {
    /// Reads it. `more` looks at what only one of the commands minds.
    ///
    /// # Errors
    /// Every mistake, whoever made it, in one message.
    pub(super) fn parse(
        call: &Call<'_>,
        target: &'c Target,
        more: impl FnOnce(&Mistakes),
    ) -> Result<Self, CniError> {
        let mistakes = Mistakes::default();
        let told = config::read(call.config, &mistakes);
        let runtime = Runtime::read(call.config, &target.args, &mistakes);
        more(&mistakes);
        let runtime = match runtime {
            // It has a code of its own if there is nothing else to fix.
            Err(none) if mistakes.is_empty() && config::unknown(call.config).is_none() => return Err(none),
            Err(none) => {
                mistakes.add("", none);
                None
            }
            Ok(runtime) => runtime,
        };
        let all = told.and_then(|(network, nic)| Some((network, nic, runtime?)));
        let (network, nic, runtime) = config::finish(call.config, mistakes, all)?;
        let socket = network.root.socket(&runtime.device).map_err(|error| CniError::DeviceInfo {
            device: runtime.device.clone(),
            file: network.root.device(&runtime.device),
            problem: DeviceInfoProblem::TooLong(error),
        })?;
        Ok(Self { target, network, nic, runtime, socket })
    }

    /// The port's name.
    pub(super) fn port_name(&self) -> String {
        self.runtime.device.port_name()
    }

    /// The port, for a device of this mode.
    pub(super) fn port(&self, mode: SocketMode) -> Wish {
        let Self { target, network, nic, runtime, socket } = self;
        let marks = ids::marks(&network.name, target, mode, runtime);
        Wish::new(&runtime.device, nic, mode, socket.clone(), marks)
    }

    /// The interface of the answer.
    pub(super) fn interface(&self) -> Interface<'_> {
        Interface::new(self.target, &self.runtime, &self.nic, &self.socket)
    }
}
