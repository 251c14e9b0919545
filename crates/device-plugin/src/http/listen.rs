//! Listens on an address of either family.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

const BACKLOG: u32 = 1024;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}: choose another address with --listen")]
pub(crate) struct ListenError {
    address: SocketAddr,
    error: io::Error,
}

/// Listens. `[::]` takes IPv4 too, and is 0.0.0.0 where the kernel has no IPv6. Port 0 is a free one. Needs a tokio
/// runtime.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listener = bind(address).or_else(|error| match without_ipv6(address, &error) {
        Some(other) => {
            info!(%error, "no IPv6: listening on {other}");
            bind(other)
        }
        None => Err(error),
    });
    listener.map_err(|error| ListenError { address, error })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    if address.ip().is_unspecified() && address.is_ipv6() {
        // Whatever net.ipv6.bindv6only says.
        set_ipv6_v6only(&socket, false)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What to listen on instead.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let is_missing = [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    let is_any = address.is_ipv6() && address.ip().is_unspecified();
    (is_any && is_missing).then(|| (Ipv4Addr::UNSPECIFIED, address.port()).into())
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_reported() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let error = listen(address).unwrap_err().to_string();
        let reason = "Address already in use (os error 98): choose another address with --listen";
        assert_eq!(error, format!("cannot listen on {address}: {reason}"));
    }

    /// A kernel that was started with `ipv6.disable=1` has no such sockets.
    #[test]
    fn a_kernel_without_ipv6_is_no_reason_to_end() {
        let instead = |address: &str, errno: Errno| {
            without_ipv6(address.parse().unwrap(), &io::Error::from(errno)).map(|other| other.to_string())
        };
        assert_eq!(instead("[::]:9310", Errno::AFNOSUPPORT), Some("0.0.0.0:9310".to_owned()));
        assert_eq!(instead("[::]:9310", Errno::ADDRNOTAVAIL), Some("0.0.0.0:9310".to_owned()));
        assert_eq!(instead("[::]:9310", Errno::ADDRINUSE), None);
        assert_eq!(instead("[::1]:9310", Errno::AFNOSUPPORT), None);
        assert_eq!(instead("0.0.0.0:9310", Errno::ADDRNOTAVAIL), None);
    }
}
