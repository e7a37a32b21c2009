//! A new connection to an endpoint, within the cluster's connect timeout and the exchange's own time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use weft_rt::Stream;

use crate::deadline::Deadlines;
use crate::downstream::Downstream;
use crate::error::{Error, Kind};
use crate::limit::Place;
use crate::snapshot::Endpoint;

/// A connection to an endpoint, counted there for as long as it lives.
pub struct Upstream {
    /// The socket.
    pub stream: Stream,
    /// Where it leads.
    pub endpoint: Arc<Endpoint>,
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
    timeout: Duration,
    downstream: &mut Downstream,
    deadlines: &mut Deadlines,
) -> Result<Upstream, Error> {
    deadlines.connecting(timeout);
    let mut connecting = pin!(weft_rt::connect(&endpoint.address));
    let connected = poll_fn(|cx| {
        if let Poll::Ready(connected) = connecting.as_mut().poll(cx) {
            let failed = |error| Error::io(Kind::ConnectFailed, "the endpoint cannot be connected to", &error);
            return Poll::Ready(connected.map_err(failed));
        }
        if downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        deadlines.poll(cx, &mut downstream.timer, 0).map(Err)
    })
    .await;
    deadlines.connected();
    let stream = connected?;
    add_one(&endpoint.connections);
    Ok(Upstream {
        stream,
        endpoint: Arc::clone(endpoint),
        served: 0,
        place: None,
        keeper_told: false,
        _open: Counted(Arc::clone(endpoint)),
    })
}

fn add_one(count: &AtomicU32) {
    count.fetch_add(1, Ordering::Relaxed);
}
