//! The pipeline of KubeVirt's plugin framework (pkg/virt-launcher/virtwrap/plugins, KubeVirt 1.9): what it makes of the
//! legacy hook's answer, and the call to a plugin's socket.

use std::path::Path;

use tonic::{Code, Status};

use super::{
    client::{CALLBACK_DEADLINE, request, within},
    dial::dial,
    reduce::reduce,
};
use proto::{MutateDomainRequest, SidecarContext, domain_hook_service_client::DomainHookServiceClient};

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.plugins.v1alpha1.rs"));
}

/// grpc-go's default for what a client receives (plugins/sidecar.go sets no other).
const RECEIVE_LIMIT: usize = 4 * 1024 * 1024;

/// The domain as a plugin gets it: what KubeVirt's struct holds of `answer`, rendered by libvirtxml (pipeline.go). It
/// writes the type of a vhost-user source, which the struct cannot hold, and indents by two spaces.
pub fn request_form(answer: &str) -> String {
    let reduced = reduce(answer).replace("<source mode=", "<source type=\"unix\" mode=");
    let lines = reduced.lines().map(|line| {
        let text = line.trim_start_matches('\t');
        format!("{}{text}\n", "  ".repeat(line.len() - text.len()))
    });
    lines.collect::<String>().trim_end().to_owned()
}

/// A plugin's answer as it reaches the next plugin: libvirtxml writes `qemu:override` in the default namespace.
pub fn chained_form(answer: &str) -> String {
    let (open, close) = ("<qemu:override>", "</qemu:override>");
    let Some((before, rest)) = answer.split_once(open) else { return answer.to_owned() };
    let (inside, after) = rest.split_once(close).expect("the override ends");
    let inside = inside.replace("<qemu:", "<").replace("</qemu:", "</");
    format!(
        "{before}<override xmlns=\"http://libvirt.org/schemas/domain/qemu/1.0\">{inside}</override>{after}"
    )
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
