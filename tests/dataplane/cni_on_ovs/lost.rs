//! The answer of OVSDB is lost. What happens to a plugin that is killed is in `steps`.

use anyhow::Result;

use super::call::{Answer, Call};
use super::lab::{Lab, device};
use super::proxy::{Fault, Proxy};
use dataplane::node::Stage;

/// With a limit: its row is not one that goes with its port.
fn call() -> Call {
    Call::new("c1", &device(0)).with("toGuestKbit", 10_000)
}

fn under(fault: Fault, run: impl Fn(&Call) -> Result<Answer>) -> Result<(Answer, usize)> {
    let proxy = Proxy::new(fault)?;
    let answer = run(&call().with("ovsdb", Proxy::socket().to_str()).with("timeout", 4))?;
    Ok((answer, proxy.requests().len()))
}

/// Whether the port was made is not known then, so it is removed.
pub(crate) fn cni_an_add_whose_answer_is_lost_leaves_nothing(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (answer, requests) = under(Fault::Nothing, Call::add)?;
    answer.result()?;
    call().del()?.done()?;
    for at in 0..requests {
        let (answer, _) = under(Fault::Swallow(at), Call::add)?;
        answer.refused(11, "socket /run/cni-proxy/db.sock: transact had no answer within …s: …")?;
        lab.untouched()?;
    }
    Ok(())
}
