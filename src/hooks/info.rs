//! What virt-launcher asks first. No IO and no failure: an error here ends the launcher.

use tonic::{Request, Response, Status};

use super::proto::info::{HookPoint, InfoParams, InfoResult, info_server::Info};

/// The label that virt-launcher logs.
const NAME: &str = "network-vhostuser-binding";

/// The newest callback version KubeVirt knows, and the first with `Shutdown`.
const VERSION: &str = "v1alpha3";

/// `Shutdown` is only called on sidecars that subscribe to it, and without it a sidecar outlives its VM.
const HOOK_POINTS: [&str; 2] = ["OnDefineDomain", "Shutdown"];

pub(super) struct InfoService;

#[tonic::async_trait]
impl Info for InfoService {
    async fn info(&self, _: Request<InfoParams>) -> Result<Response<InfoResult>, Status> {
        let hook_point = |name: &str| HookPoint { name: name.to_owned(), priority: 0 };
        tracing::debug!("virt-launcher found this sidecar");
        Ok(Response::new(InfoResult {
            name: NAME.to_owned(),
            hook_points: HOOK_POINTS.map(hook_point).to_vec(),
            versions: vec![VERSION.to_owned()],
        }))
    }
}
