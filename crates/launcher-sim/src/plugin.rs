//! The pipeline of KubeVirt's plugin framework (pkg/virt-launcher/virtwrap/plugins, KubeVirt 1.9): what it makes of the
//! legacy hook's answer, and the call to a plugin's socket.

use std::{path::Path, time::Duration};

use tokio::time::sleep;
use tonic::{Code, Status};

use super::{
    boot::through,
    client::{CALLBACK_DEADLINE, Client, request, within},
    dial::dial,
    libvirtxml::render,
    reduce::reduce_keeping_qemu_commandline,
};
use proto::{MutateDomainRequest, SidecarContext, domain_hook_service_client::DomainHookServiceClient};

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.plugins.v1alpha1.rs"));
}

/// grpc-go's default for what a client receives (plugins/sidecar.go sets no other).
const RECEIVE_LIMIT: usize = 4 * 1024 * 1024;

/// The domain as a plugin gets it: what KubeVirt's struct holds of `answer`, rendered by libvirtxml (pipeline.go). It
/// writes the type of a vhost-user source, which the struct cannot hold.
pub fn request_form(answer: &str) -> String {
    let held = reduce_keeping_qemu_commandline(answer);
    render(&held.replace("<source mode=", "<source type=\"unix\" mode="))
}

/// One `MutateDomain`, on a connection of its own (plugins/sidecar.go).
///
/// # Errors
/// The socket is a symlink or nobody listens, the plugin refuses, or its answer cannot be read as a domain.
pub async fn mutate_domain(
    socket: &Path,
    domain_type: &str,
    domain: impl Into<Vec<u8>>,
    vmi: impl Into<Vec<u8>>,
    context: &str,
) -> Result<String, Status> {
    if socket.is_symlink() {
        return Err(Status::new(Code::FailedPrecondition, "the socket is a symlink, which is not allowed"));
    }
    let channel = dial(socket).await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut client = DomainHookServiceClient::new(channel).max_decoding_message_size(RECEIVE_LIMIT);
    let message = MutateDomainRequest {
        domain_type: domain_type.to_owned(),
        domain: domain.into(),
        vmi: vmi.into(),
        sidecar_context: Some(SidecarContext { invocation_context: context.to_owned() }),
    };
    let answer = within(CALLBACK_DEADLINE, client.mutate_domain(request(message, CALLBACK_DEADLINE))).await?;
    let domain = String::from_utf8(answer.domain).map_err(|error| Status::internal(error.to_string()))?;
    roxmltree::Document::parse(&domain).map_err(|error| Status::internal(format!("unmarshal: {error}")))?;
    Ok(domain)
}

/// plugins/sidecar.go looks for the file every 500 ms, for 30 s.
async fn wait_for(socket: &Path) -> Result<(), Status> {
    for _ in 0..60 {
        if socket.exists() {
            return Ok(());
        }
        sleep(Duration::from_millis(500)).await;
    }
    let text = format!("sidecar socket {} not ready after 30s: context deadline exceeded", socket.display());
    Err(Status::deadline_exceeded(text))
}

/// What a cluster with a `Plugin` object does in each call.
pub struct Pipeline<'p> {
    /// The legacy hook sidecars, called first.
    pub sidecars: &'p [Client],
    /// The plugins' sockets, by the plugins' names.
    pub plugins: &'p [&'p Path],
}

impl Pipeline<'_> {
    /// What libvirt defines in one of a boot's calls.
    ///
    /// # Errors
    /// Of a sidecar or a plugin.
    pub async fn define(&self, domain: &str, vmi: &[u8]) -> Result<String, Status> {
        self.mutate(&through(self.sidecars, domain, vmi).await?, vmi, "Boot").await
    }

    /// A migration target: the legacy answer is discarded before the plugins are asked, and theirs are, too.
    ///
    /// # Errors
    /// Of a sidecar or a plugin.
    pub async fn migration_target(&self, domain: &str, vmi: &[u8]) -> Result<(), Status> {
        through(self.sidecars, domain, vmi).await?;
        self.mutate(domain, vmi, "MigrationTarget").await.map(drop)
    }

    /// One object goes from plugin to plugin, rendered for each. A socket is waited for; any file counts.
    async fn mutate(&self, domain: &str, vmi: &[u8], context: &str) -> Result<String, Status> {
        let mut xml = request_form(domain);
        for socket in self.plugins {
            wait_for(socket).await?;
            xml = render(&mutate_domain(socket, "libvirt", xml, vmi, context).await?);
        }
        Ok(xml)
    }
}
