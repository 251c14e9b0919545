use crate::kubelet::PodResourcesError;
use node::socketdir::SocketDirError;
use ovs::OvsdbError;
use vocabulary::Quoted;

/// Why a device is not given away, or its port not plugged again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LifeError {
    #[error("a port of it may still be on the switch, and the switch cannot be asked: {0}")]
    Switch(#[from] OvsdbError),
    #[error(
        "its port {port} on the switch was made for pod {}, whose sandbox is not certainly gone ({}): it becomes free when \
         the runtime detaches it; fix, if no such pod runs on this node: ovs-vsctl del-port {port}",
        Quoted(.pod),
        .netns.as_ref().map_or("made by an earlier release".to_owned(), |netns| format!("network namespace {netns}"))
    )]
    LivesOn { port: String, pod: String, netns: Option<String> },
    #[error("its port is still on the switch, and by the kubelet's list a pod has the device")]
    InUse,
    #[error(
        "its port is still on the switch, and the kubelet's list of pods is not complete, for it lacks this plugin's own \
         pod: check --pod-namespace and --pod-name"
    )]
    NotWhole,
    #[error("its port is still on the switch, and {0}")]
    List(#[from] PodResourcesError),
    #[error(
        "its port {port} was lost with the switch's database and cannot be plugged again: bridge {} does not exist or is \
         not 'netdev', or the port's name is taken",
        Quoted(.bridge)
    )]
    NotPlugged { port: String, bridge: String },
    #[error(transparent)]
    Dir(#[from] SocketDirError),
    #[error("internal: {0}")]
    Task(#[from] tokio::task::JoinError),
}
