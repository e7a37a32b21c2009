//! A new connection to an endpoint, within the cluster's connect timeout.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use weft_rt::{Stream, Timer};

use crate::error::{Error, Kind};
use crate::snapshot::Endpoint;

/// A connection to an endpoint, counted there for as long as it lives.
pub struct Upstream {
    /// The socket.
    pub stream: Stream,
    /// Where it leads.
    pub endpoint: Arc<Endpoint>,
    /// Answers already received on it: above zero, the endpoint may have closed it for being idle.
    pub served: u32,
    _open: Counted,
}

/// Adds one while it lives.
struct Counted(Arc<Endpoint>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects. `timer` is the exchange's own; it is left unset.
pub async fn connect(endpoint: &Arc<Endpoint>, timeout: Duration, timer: &mut Timer) -> Result<Upstream, Error> {
    timer.set(Some(weft_rt::now() + timeout));
    let mut connecting = pin!(weft_rt::connect(&endpoint.address));
    let connected = poll_fn(|cx| {
        if let Poll::Ready(connected) = connecting.as_mut().poll(cx) {
            return Poll::Ready(Some(connected));
        }
        timer.poll_expired(cx).map(|()| None)
    })
    .await;
    timer.set(None);
    match connected {
        Some(Ok(stream)) => {
            add_one(&endpoint.connections);
            Ok(Upstream { stream, endpoint: Arc::clone(endpoint), served: 0, _open: Counted(Arc::clone(endpoint)) })
        }
        Some(Err(error)) => Err(Error::io(Kind::ConnectFailed, "the endpoint cannot be connected to", &error)),
        None => Err(Error::new(Kind::ConnectTimeout, "the endpoint did not accept the connection in time")),
    }
}

fn add_one(count: &AtomicU32) {
    count.fetch_add(1, Ordering::Relaxed);
}
