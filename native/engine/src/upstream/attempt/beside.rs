//! An attempt beside another one of the same exchange, with a copy of the request. It touches nothing of the exchange
//! but to read it: what the other attempt is at goes on as if this one were not there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use weft_rt::Timer;

use super::Answered;
use super::answer::{Asked, Incoming, lost};
use super::outgoing::Outgoing;
use crate::error::{Error, Kind};
use crate::exchange::ongoing::Ongoing;
use crate::snapshot::Endpoint;
use crate::transfer::{Broken, Transfer};
use crate::upstream::connection::connect::{Upstream, failed, open};
use crate::upstream::limit::Place;

type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Upstream>> + 'a>>;

/// The attempt.
pub struct Beside<'a> {
    endpoint: Arc<Endpoint>,
    sending: Transfer,
    incoming: Incoming<'a>,
    /// For the connection.
    timer: Timer,
    connecting: Option<Connecting<'a>>,
    upstream: Option<Upstream>,
    place: Option<Place>,
}

impl<'a> Beside<'a> {
    /// Begins. `None`: the cluster has as many connections as it may have.
    pub fn begin(
        exchange: &mut Ongoing<'a>,
        outgoing: &Outgoing<'a>,
        endpoint: &Arc<Endpoint>,
        place: Option<Place>,
    ) -> Self {
        let mut own = Self {
            endpoint: Arc::clone(endpoint),
            sending: outgoing.again(exchange),
            incoming: Incoming::beside(exchange),
            timer: Timer::new(),
            connecting: None,
            upstream: None,
            place,
        };
        match exchange.worker.pool.take(endpoint, true) {
            Some(mut used) => {
                exchange.account.beside_connected(used.address, true);
                used.place = used.place.or_else(|| own.place.take());
                own.upstream = Some(used);
            }
            None => {
                let (endpoint, cluster) = (Arc::clone(endpoint), outgoing.cluster);
                own.connecting = Some(Box::pin(async move { open(&endpoint, cluster).await }));
                own.timer.set(Some(weft_rt::now() + cluster.connect_timeout));
            }
        }
        own
    }

    /// Ready with its answer, or with why there is none.
    pub fn poll(&mut self, cx: &mut Context<'_>, exchange: &mut Ongoing<'_>) -> Poll<Result<Answered, Error>> {
        if let Some(connecting) = &mut self.connecting {
            match connecting.as_mut().poll(cx) {
                Poll::Ready(Ok(mut made)) => {
                    exchange.account.beside_connected(made.address, false);
                    made.place = self.place.take();
                    self.upstream = Some(made);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(failed(&self.endpoint, &error))),
                Poll::Pending => {
                    let late = Error::new(Kind::ConnectTimeout, "the endpoint did not accept the connection in time");
                    return self.timer.poll_expired(cx).map(|()| Err(late));
                }
            }
            self.connecting = None;
        }
        let gone = Error::new(Kind::UpstreamClosed, "the endpoint closed the connection");
        let Some(upstream) = &mut self.upstream else { return Poll::Ready(Err(gone)) };
        let downstream = &mut *exchange.downstream;
        // Its body is whole: the client's stream is not read.
        let sent = self.sending.poll(cx, &exchange.worker.buffers, &mut downstream.stream, &mut upstream.stream);
        match sent {
            Poll::Ready(Err(Broken::Sink(error))) => return Poll::Ready(Err(lost(&error))),
            Poll::Ready(Err(broken)) => return Poll::Ready(Err(broken.in_request())),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        let asked = Asked { request: exchange.head, sending: &self.sending };
        let answer = std::task::ready!(self.incoming.poll(cx, &asked, downstream, upstream))?;
        let whole = self.sending.is_done();
        let upstream = self.upstream.take().filter(|_| whole);
        // Before it had read the request: its connection could not be used again, and what it says is worth little.
        Poll::Ready(upstream.map(|upstream| Answered { answer, upstream }).ok_or(gone))
    }
}
