//! Our types in the kubelet's words.

use tonic::Status;

use super::proto::plugin::{
    ContainerAllocateResponse, Device, ListAndWatchResponse, Mount, NumaNode, TopologyInfo,
};
use crate::resource::{AllocateError, Grant, Offer};

pub(super) fn list(offers: &[Offer]) -> ListAndWatchResponse {
    ListAndWatchResponse { devices: offers.iter().map(device).collect() }
}

fn device(offer: &Offer) -> Device {
    let topology = offer.numa_node.map(|node| TopologyInfo { nodes: vec![NumaNode { id: i64::from(node) }] });
    let health = if offer.healthy { "Healthy" } else { "Unhealthy" };
    Device { id: offer.id.clone(), health: health.to_owned(), topology }
}

pub(super) fn granted(grant: Grant) -> ContainerAllocateResponse {
    let mounts = grant.mounts.into_iter().map(|mount| Mount {
        container_path: mount.container,
        host_path: mount.host,
        read_only: mount.read_only,
    });
    ContainerAllocateResponse {
        envs: grant.envs.into_iter().collect(),
        mounts: mounts.collect(),
        ..ContainerAllocateResponse::default()
    }
}

/// The text is what the pod's event says.
pub(super) fn status(error: &AllocateError) -> Status {
    match error {
        AllocateError::Unknown(_) => Status::not_found(error.to_string()),
        AllocateError::Failed(_) => Status::internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::resource::DirMount;

    #[test]
    fn a_device_says_its_numa_node_if_it_has_one() {
        let offer = |healthy, numa_node| Offer { id: "a-0".to_owned(), healthy, numa_node };
        let list = list(&[offer(true, Some(1)), offer(false, None)]);
        let topology = Some(TopologyInfo { nodes: vec![NumaNode { id: 1 }] });
        let device =
            |health: &str, topology| Device { id: "a-0".to_owned(), health: health.to_owned(), topology };
        assert_eq!(list.devices, [device("Healthy", topology), device("Unhealthy", None)]);
    }

    #[test]
    fn a_grant_is_mounts_and_environment() {
        let mount =
            |read_only| DirMount { host: "/h/a-0".to_owned(), container: "/c/a-0".to_owned(), read_only };
        let grant =
            Grant { mounts: vec![mount(false), mount(true)], envs: vec![("A".to_owned(), "B".to_owned())] };
        let mount = |read_only| Mount {
            container_path: "/c/a-0".to_owned(),
            host_path: "/h/a-0".to_owned(),
            read_only,
        };
        let expected = ContainerAllocateResponse {
            envs: [("A".to_owned(), "B".to_owned())].into(),
            mounts: vec![mount(false), mount(true)],
            ..ContainerAllocateResponse::default()
        };
        assert_eq!(granted(grant), expected);
    }

    #[test]
    fn an_error_keeps_its_text() {
        let told = |error| {
            let status = status(&error);
            (status.code(), status.message().to_owned())
        };
        assert_eq!(told(AllocateError::Unknown("x".to_owned())), (Code::NotFound, "x".to_owned()));
        assert_eq!(told(AllocateError::Failed("y".to_owned())), (Code::Internal, "y".to_owned()));
    }
}
