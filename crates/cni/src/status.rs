//! STATUS: whether an ADD could succeed now.

use super::{
    call::Call,
    clock::Clock,
    config::{Network, Nic},
    decide::check_switch,
    error::CniError,
    found::Found,
    ipam::Ipam,
    switch::Ovs,
};
use ovs::{
    OvsdbError,
    operation::Condition,
    rows::{Bridge, OpenVSwitch, select},
};

/// Looks, and changes nothing.
pub(super) fn status(call: &Call<'_>) -> Result<(), CniError> {
    let (network, nic) = Nic::parse(call.config)?;
    let clock = Clock::whole(call.started, network.timeout);
    // OVS forwards without its database; only changes wait.
    let asked = ask(&network, &nic, clock);
    let (mut ovs, found) = asked.map_err(|error| CniError::Unavailable(error.to_string()))?;
    check_switch(&nic.bridge, nic.create_bridge, &found)
        .map_err(|error| CniError::Limited(error.to_string()))?;
    let vswitchd = ovs.vswitchd().map_err(|error| CniError::Unavailable(error.to_string()))?;
    vswitchd.map_err(|obstacle| CniError::Limited(obstacle.of_bridge(nic.bridge.as_str())))?;
    match Ipam::find(call, &network)? {
        Some(ipam) => ipam.pass_on("STATUS", &clock),
        None => Ok(()),
    }
}

fn ask(network: &Network, nic: &Nic, clock: Clock) -> Result<(Ovs, Found), OvsdbError> {
    let mut ovs = Ovs::connect(network, clock)?;
    let bridge = [Condition::is("name", nic.bridge.as_str())];
    let mut answers = ovs.ask(vec![select::<OpenVSwitch>(&[]), select::<Bridge>(&bridge)])?;
    let (switch, bridge) = (answers.rows()?.pop(), answers.rows()?.pop());
    Ok((ovs, Found { switch, bridge, ..Found::default() }))
}
