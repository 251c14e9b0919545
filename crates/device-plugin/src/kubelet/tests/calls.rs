//! What the kubelet asks of a plugin that is registered.

use std::collections::{BTreeMap, BTreeSet};

use tonic::{Code, Status};

use super::{
    NAME, Pair, limited, offer,
    standin::{
        Allocation, Client, Device, Mount,
        messages::{
            AllocateRequest, AllocateResponse, ContainerAllocateRequest, ContainerPreferredAllocationRequest,
            PreStartContainerRequest, PreStartContainerResponse, PreferredAllocationRequest,
        },
    },
    until,
};
use crate::resource::Offer;

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

fn mount(id: &str) -> Mount {
    Mount { host: format!("/h/{id}"), container: format!("/c/{id}"), read_only: false }
}

#[tokio::test]
async fn every_change_of_the_list_is_told() {
    limited(async {
        let pair = Pair::start().await;
        assert_eq!(pair.kubelet.healthy(NAME), ids(&["a-0", "a-1", "a-2"]));
        assert_eq!(pair.plugin.metric("devices", ",health=\"healthy\""), "3");

        let numa = Offer { numa_node: Some(1), ..offer("a-1", true) };
        pair.stub.offers.send(vec![offer("a-0", false), numa]).unwrap();
        until("the second list", || pair.kubelet.lists(NAME) == 2).await;
        let device = |id: &str, healthy, numa_nodes| Device { id: id.to_owned(), healthy, numa_nodes };
        let expected = [device("a-0", false, vec![]), device("a-1", true, vec![1])];
        assert_eq!(pair.kubelet.devices(NAME), expected);
        assert_eq!(pair.plugin.metric("devices", ",health=\"healthy\""), "1");
        assert_eq!(pair.plugin.metric("devices", ",health=\"unhealthy\""), "1");

        pair.stub.offers.send(Vec::new()).unwrap();
        until("the third list", || pair.kubelet.lists(NAME) == 3).await;
        assert_eq!(pair.kubelet.devices(NAME), []);
        pair.plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_container_gets_what_is_preferred() {
    limited(async {
        let pair = Pair::start().await;
        let given = pair.kubelet.allocate("vm-1", NAME, 2).await.unwrap();
        let expected = Allocation {
            resource: NAME.to_owned(),
            ids: ids(&["a-1", "a-2"]),
            mounts: vec![mount("a-1"), mount("a-2")],
            envs: BTreeMap::from([("IDS".to_owned(), "a-1,a-2".to_owned())]),
        };
        assert_eq!(given, expected);
        assert_eq!(pair.stub.allocated(), [["a-1", "a-2"]]);
        assert_eq!(pair.kubelet.allocate("vm-2", NAME, 1).await.unwrap().ids, ids(&["a-0"]));
        assert_eq!(pair.plugin.metric("allocations_total", ""), "2");
        assert_eq!(pair.plugin.metric("allocation_errors_total", ""), "0");

        let none_left = pair.kubelet.allocate("vm-3", NAME, 1).await.unwrap_err();
        let text = "requested number of devices unavailable for example.org/a. Requested: 1, Available: 0";
        assert_eq!(none_left, text);
    })
    .await;
}

#[tokio::test]
async fn a_failure_is_told_in_its_own_words() {
    limited(async {
        let pair = Pair::start().await;
        *pair.stub.broken.lock().unwrap() = Some("a-2".to_owned());
        let error = pair.kubelet.allocate("vm-1", NAME, 1).await.unwrap_err();
        assert_eq!(error, "device a-2 is broken");
        assert_eq!(pair.stub.allocated(), Vec::<Vec<String>>::new());
        assert_eq!(pair.kubelet.pod("vm-1"), []);
        assert_eq!(pair.plugin.metric("allocations_total", ""), "0");
        assert_eq!(pair.plugin.metric("allocation_errors_total", ""), "1");
    })
    .await;
}

/// A call that no kubelet makes: for several containers at once.
async fn allocate(client: &mut Client, containers: &[&[&str]]) -> Result<AllocateResponse, Status> {
    let containers = containers
        .iter()
        .map(|ids| ContainerAllocateRequest { devices_ids: ids.iter().map(|&id| id.to_owned()).collect() });
    let request = AllocateRequest { container_requests: containers.collect() };
    client.allocate(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn nothing_is_allocated_when_one_device_is_unknown() {
    limited(async {
        let pair = Pair::start().await;
        let mut client = pair.kubelet.client(NAME);
        let error = allocate(&mut client, &[&["a-0"], &["a-1", "../b\n"]]).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        assert_eq!(
            error.message(),
            r"resource example.org/a has no device '../b\n', only 3 others: it was removed from the configuration, or the kubelet's list is outdated"
        );
        assert_eq!(pair.stub.allocated(), Vec::<Vec<String>>::new());
        assert_eq!(pair.plugin.metric("allocation_errors_total", ""), "1");

        let answer = allocate(&mut client, &[&["a-0"], &["a-1", "a-2"]]).await.unwrap();
        let mounts: Vec<usize> = answer.container_responses.iter().map(|one| one.mounts.len()).collect();
        assert_eq!(mounts, [1, 2]);
        assert_eq!(pair.stub.allocated(), [vec!["a-0"], vec!["a-1", "a-2"]]);
        assert_eq!(pair.plugin.metric("allocations_total", ""), "2");
    })
    .await;
}

#[tokio::test]
async fn what_must_be_included_comes_first() {
    limited(async {
        let pair = Pair::start().await;
        let mut client = pair.kubelet.client(NAME);
        let mut prefer = async |size| {
            let request = ContainerPreferredAllocationRequest {
                available_device_i_ds: ["a-0", "a-1", "a-2"].map(str::to_owned).into(),
                must_include_device_i_ds: vec!["a-0".to_owned()],
                allocation_size: size,
            };
            let request = PreferredAllocationRequest { container_requests: vec![request] };
            let answer = client.get_preferred_allocation(request).await?.into_inner().container_responses;
            Ok::<_, Status>(answer.into_iter().map(|one| one.device_i_ds).collect::<Vec<_>>())
        };
        assert_eq!(prefer(2).await.unwrap(), [["a-0", "a-2"]]);
        let error = prefer(-1).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.message(), "-1 devices: not a number of devices");
    })
    .await;
}

#[tokio::test]
async fn there_is_nothing_to_do_before_a_container_starts() {
    limited(async {
        let pair = Pair::start().await;
        let request = PreStartContainerRequest { devices_ids: vec!["a-0".to_owned()] };
        let answer = pair.kubelet.client(NAME).pre_start_container(request).await.unwrap();
        assert_eq!(answer.into_inner(), PreStartContainerResponse {});
    })
    .await;
}
