//! Telling the kubelet that a resource exists.

use std::{path::Path, time::Duration};

use super::{
    channel::{self, CallError},
    proto::plugin::{DevicePluginOptions, RegisterRequest, registration_client::RegistrationClient},
};

/// The kubelet's socket in its directory.
pub(super) const KUBELET_SOCKET: &str = "kubelet.sock";

/// The API's version.
const VERSION: &str = "v1beta1";

/// How long one registration may take. The kubelet answers after it has connected to us and asked for our options.
const LIMIT: Duration = Duration::from_secs(10);

/// Registers `resource`, which is served on the socket `endpoint` beside the kubelet's.
pub(super) async fn register(socket: &Path, resource: &str, endpoint: &str) -> Result<(), CallError> {
    let request = RegisterRequest {
        version: VERSION.to_owned(),
        endpoint: endpoint.to_owned(),
        resource_name: resource.to_owned(),
        options: Some(DevicePluginOptions {
            pre_start_required: false,
            get_preferred_allocation_available: true,
        }),
    };
    channel::call(socket, LIMIT, async |channel| {
        RegistrationClient::new(channel).register(request).await.map(drop)
    })
    .await
}
