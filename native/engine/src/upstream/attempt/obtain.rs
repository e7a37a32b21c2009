//! A connection for an attempt: a pooled one, one that another exchange of this worker has just left, or a new one;
//! within the bound on the cluster's connections.
//!
//! Cancel safety: whoever leaves the queue gives back what he was granted meanwhile.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::outgoing::Outgoing;
use crate::error::{Error, Kind};
use crate::exchange::ongoing::Ongoing;
use crate::snapshot::Endpoint;
use crate::telemetry::record::Mark;
use crate::upstream::connection::connect::{self, Upstream};
use crate::upstream::connection::pool::Pool;
use crate::upstream::limit::{Ask, Breaker, Granted, Place, Waiting};

/// A connection to the endpoint: a used one unless the attempt wants a fresh one, else a new one.
pub(super) async fn obtain(
    exchange: &mut Ongoing<'_>,
    outgoing: &mut Outgoing<'_>,
    endpoint: &Arc<Endpoint>,
) -> Result<Upstream, Error> {
    let breaker = outgoing.cluster.limits.breaker.as_deref().filter(|breaker| breaker.max_connections.is_some());
    let probe = !exchange.may_repeat();
    let pooled = if outgoing.fresh { None } else { exchange.worker.pool.take(endpoint, probe) };
    let used = match (pooled, breaker) {
        (pooled, None) => pooled.ok_or(None),
        (pooled, Some(breaker)) => within(exchange, outgoing, breaker, endpoint, pooled).await?,
    };
    outgoing.reused = used.is_ok();
    let place = match used {
        Ok(used) => {
            exchange.account.reused(used.address);
            return Ok(used);
        }
        Err(place) => place,
    };
    let (cluster, deadlines) = (outgoing.cluster, &mut outgoing.deadlines);
    let connected = connect::connect(endpoint, cluster, exchange.downstream, deadlines).await;
    exchange.account.connected(connected.as_ref().ok().map(|upstream| upstream.address));
    let mut upstream = connected?;
    upstream.place = place;
    Ok(upstream)
}

/// A used connection that is counted, or a place for a new one.
async fn within(
    exchange: &mut Ongoing<'_>,
    outgoing: &mut Outgoing<'_>,
    breaker: &Breaker,
    endpoint: &Endpoint,
    pooled: Option<Upstream>,
) -> Result<Result<Upstream, Option<Place>>, Error> {
    let max = breaker.max_connections.unwrap_or(u32::MAX);
    let gate = &breaker.state.connections;
    if let Some(mut used) = pooled {
        // One that was opened before there was a bound counts from now on, as far as there is room.
        used.place = used.place.or_else(|| gate.take(max));
        if used.place.is_some() {
            return Ok(Ok(used));
        }
    }
    if let Some(place) = gate.take(max) {
        return Ok(Err(Some(place)));
    }
    exchange.account.mark(Mark::ConnectionsOverflow);
    let ask = Ask {
        max,
        max_waiting: breaker.max_pending,
        thread: exchange.worker.pool.thread(),
        // A fresh connection is one that nobody hands over.
        endpoint: if outgoing.fresh { u32::MAX } else { endpoint.id },
    };
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let Ok(waiting) = gate.wait(ask, &waker) else {
        exchange.account.mark(Mark::PendingOverflow);
        return Err(Error::new(Kind::Overflow, "as many requests wait for a connection of the cluster as may"));
    };
    outgoing.deadlines.queued(outgoing.route);
    let mut queued = Queued { waiting, pool: &exchange.worker.pool };
    let progress = outgoing.sending.progress();
    let granted = poll_fn(|cx| {
        if let Poll::Ready(granted) = queued.poll(cx) {
            return Poll::Ready(Ok(granted));
        }
        let downstream = &mut *exchange.downstream;
        if downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        outgoing.deadlines.poll(cx, &mut downstream.timer, progress).map(Err)
    })
    .await;
    outgoing.deadlines.admitted();
    granted
}

/// Somebody in the queue, with the pool in which a connection may lie aside for him.
struct Queued<'a> {
    waiting: Waiting,
    pool: &'a Pool,
}

impl Queued<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Upstream, Option<Place>>> {
        self.waiting.poll(cx).map(|granted| match granted {
            Granted::Place(place) => Err(Some(place)),
            Granted::Connection(ticket) => self.pool.claim(ticket).ok_or(None),
        })
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        // The client may have gone in the same pass in which he was given it: it goes to the next one.
        drop(self.pool.claim(self.waiting.ticket()));
    }
}
