use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{AttachmentError, Resolved, Seen, look::look};
use crate::config::Sources;
use crate::plan::{Attachments, NicRequest};
use crate::vmi::Vmi;

/// Time between two looks. kubelet needs seconds; more than this would be felt where the file is there already.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks until every request that is not `known` has its attachment, at most `sources.wait`. Errors that waiting cannot
/// fix end it at once.
pub(crate) async fn resolve(
    vmi: &Vmi,
    requests: &[NicRequest],
    known: &Attachments,
    sources: &Sources,
) -> Result<Resolved, AttachmentError> {
    let deadline = Instant::now() + sources.wait;
    loop {
        match look(vmi, requests, known, &Seen::read(vmi, sources)) {
            Err(error) if error.at.problem.may_still_come() && Instant::now() < deadline => {
                sleep(PAUSE.min(deadline - Instant::now())).await;
            }
            result => return result.map_err(|error| error.after(sources.wait)),
        }
    }
}
