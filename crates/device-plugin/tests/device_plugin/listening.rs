//! The default address, in clusters of either family.

use std::net::{SocketAddr, TcpStream};

use crate::{
    node::Node,
    own_mounts::alone_with,
    plugin::{Plugin, get},
};

const PORT: u16 = 9310;

async fn ready_by_default(node: &mut Node) -> Plugin {
    let mut plugin = node.plugin_with(&[]);
    plugin.ready().await;
    plugin
}

fn health(address: &str) -> (u16, String) {
    get(SocketAddr::new(address.parse().unwrap(), PORT), "/healthz")
}

/// Only ::1, as in an IPv6-only cluster.
#[tokio::test]
async fn listens_where_no_ipv4_address_exists() {
    let script = "ip link set lo up && ip addr del 127.0.0.1/8 dev lo";
    alone_with("listening::listens_where_no_ipv4_address_exists", script, async {
        let mut node = Node::new().await;
        let plugin = ready_by_default(&mut node).await;
        TcpStream::connect(("127.0.0.1", PORT)).expect_err("there is no IPv4");
        assert_eq!(health("::1"), (200, "ok\n".to_owned()));
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn listens_where_ipv6_is_disabled() {
    let script = "ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1";
    alone_with("listening::listens_where_ipv6_is_disabled", script, async {
        let mut node = Node::new().await;
        let plugin = ready_by_default(&mut node).await;
        TcpStream::connect(("::1", PORT)).expect_err("there is no IPv6");
        assert_eq!(health("127.0.0.1"), (200, "ok\n".to_owned()));
        plugin.stop().await;
    })
    .await;
}

/// Whatever the node's `bindv6only` says.
#[tokio::test]
async fn listens_to_both_families() {
    let script = "ip link set lo up && sysctl -qw net.ipv6.bindv6only=1";
    alone_with("listening::listens_to_both_families", script, async {
        let mut node = Node::new().await;
        let plugin = ready_by_default(&mut node).await;
        assert_eq!((health("127.0.0.1").0, health("::1").0), (200, 200));
        plugin.stop().await;
    })
    .await;
}
