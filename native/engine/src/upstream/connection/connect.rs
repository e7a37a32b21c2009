//! A new connection to an endpoint, within the cluster's connect timeout and the exchange's own time.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use rustix::net::sockopt;
use weft_rt::Stream;

use super::race;
use crate::error::{Error, Kind};
use crate::exchange::deadline::Deadlines;
use crate::exchange::downstream::Downstream;
use crate::snapshot::{Destination, Endpoint, GenerationCluster, TcpKeepAlive, recorded};
use crate::telemetry::record::Address;
use crate::upstream::limit::Place;

/// A connection to an endpoint, counted there for as long as it lives.
pub struct Upstream {
    /// The socket.
    pub stream: Stream,
    /// Where it leads.
    pub endpoint: Arc<Endpoint>,
    /// The address that was reached.
    pub address: Address,
    /// Answers already received on it: above zero, the endpoint may have closed it for being idle.
    pub served: u32,
    /// Its place among the cluster's connections, where those are bounded.
    pub place: Option<Place>,
    /// Whoever waits for a place knows that this thread may have one to spare.
    pub keeper_told: bool,
    _open: Counted,
}

/// Adds one while it lives.
struct Counted(Arc<Endpoint>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects, as long as the exchange has time and its client stays.
pub async fn connect(
    endpoint: &Arc<Endpoint>,
    cluster: &GenerationCluster,
    downstream: &mut Downstream,
    deadlines: &mut Deadlines,
) -> Result<Upstream, Error> {
    deadlines.connecting(cluster.connect_timeout);
    let mut connecting = pin!(open(endpoint, cluster));
    let connected = poll_fn(|cx| {
        if let Poll::Ready(connected) = connecting.as_mut().poll(cx) {
            return Poll::Ready(connected.map_err(|error| failed(endpoint, &error)));
        }
        if downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        deadlines.poll(cx, &mut downstream.timer, 0).map(Err)
    })
    .await;
    deadlines.connected();
    connected
}

/// The same without a time limit, for whoever has his own.
pub async fn open(endpoint: &Arc<Endpoint>, cluster: &GenerationCluster) -> io::Result<Upstream> {
    let (stream, address) = reach(&endpoint.destination).await?;
    if let Some(probing) = &cluster.tcp_keep_alive {
        // A socket that refuses an option still carries requests; a unix socket has none of them.
        let _refused = probe(&stream, probing);
    }
    add_one(&endpoint.connections);
    Ok(Upstream {
        stream,
        endpoint: Arc::clone(endpoint),
        address,
        served: 0,
        place: None,
        keeper_told: false,
        _open: Counted(Arc::clone(endpoint)),
    })
}

pub(in crate::upstream) fn failed(endpoint: &Endpoint, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        endpoint.refused();
    }
    Error::io(Kind::ConnectFailed, "the endpoint cannot be connected to", error)
}

/// A connection to one of the destination's addresses, and which of them it is. Without a time limit.
pub async fn reach(destination: &Destination) -> io::Result<(Stream, Address)> {
    match destination {
        Destination::One(address) => Ok((weft_rt::connect(address).await?, recorded(address))),
        Destination::Several(several) => {
            let (addresses, first) = several.read();
            let (stream, place) = race::connect(&addresses, first).await?;
            several.reached(place);
            Ok((stream, addresses.get(place).map_or(Address::NONE, recorded)))
        }
    }
}

/// Has the kernel find out about an endpoint that is gone without a word (tcp(7)).
fn probe(stream: &Stream, probing: &TcpKeepAlive) -> rustix::io::Result<()> {
    let Some(socket) = stream.as_fd() else { return Ok(()) };
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(probing.time_s.into()))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(probing.interval_s.into()))?;
    sockopt::set_tcp_keepcnt(socket, probing.probes)?;
    if probing.user_timeout_ms > 0 {
        sockopt::set_tcp_user_timeout(socket, probing.user_timeout_ms)?;
    }
    Ok(())
}

fn add_one(count: &AtomicU32) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_told_what_was_configured() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = weft_rt::Addr::Tcp(listener.local_addr().unwrap());
        weft_rt::tokio_rt::run(async {
            let stream = weft_rt::connect(&address).await.unwrap();
            probe(&stream, &TcpKeepAlive { time_s: 30, interval_s: 2, probes: 5, user_timeout_ms: 20_000 }).unwrap();
            let socket = stream.as_fd().unwrap();
            assert!(sockopt::socket_keepalive(socket).unwrap() && sockopt::tcp_nodelay(socket).unwrap());
            assert_eq!(sockopt::tcp_keepidle(socket).unwrap(), Duration::from_secs(30));
            assert_eq!(sockopt::tcp_keepintvl(socket).unwrap(), Duration::from_secs(2));
            assert_eq!(sockopt::tcp_keepcnt(socket).unwrap(), 5);
            assert_eq!(sockopt::tcp_user_timeout(socket).unwrap(), 20_000);
        });
    }
}
