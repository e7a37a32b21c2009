//! One attempt: a connection is obtained, the request goes out, the answer's head comes in.
//!
//! Both directions move at once, for an endpoint may answer before it has read the whole request. On an error nothing
//! but 1xx answers has reached the client.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::answer::{Answer, Asked, Incoming, lost};
use super::connect::Upstream;
use super::obtain::obtain;
use super::outgoing::Outgoing;
use crate::downstream::Downstream;
use crate::error::{Error, Kind};
use crate::http::framing::wants_upgrade;
use crate::ongoing::Ongoing;
use crate::snapshot::Endpoint;
use crate::transfer::Broken;
use crate::worker::Worker;

/// An attempt that was answered: the head is here, the body still on the connection.
pub struct Answered {
    /// The answer's head.
    pub answer: Answer,
    /// Where it comes from.
    pub upstream: Upstream,
}

/// Makes one attempt at an endpoint.
pub async fn run(
    exchange: &mut Ongoing<'_>,
    outgoing: &mut Outgoing<'_>,
    endpoint: &Arc<Endpoint>,
) -> Result<Answered, Error> {
    if exchange.head.text(exchange.head.authority).is_empty() {
        // HTTP/1.0 without a Host; what we send on is HTTP/1.1, which must have one.
        exchange.head.set_authority(endpoint.authority().as_bytes());
    }
    outgoing.attempt_begins(exchange);
    let mut upstream = obtain(exchange, outgoing, endpoint).await?;
    outgoing.begin(exchange);
    let answer = send(exchange, outgoing, &mut upstream).await;
    exchange.unread = !outgoing.sending.is_decoded();
    exchange.account.request_bytes(outgoing.sending.body_bytes);
    let attempted = answer.map(|answer| Answered { answer, upstream });
    outgoing.settle(exchange, endpoint, &attempted);
    attempted
}

/// Sends the request until the answer's head is whole.
async fn send(
    exchange: &mut Ongoing<'_>,
    outgoing: &mut Outgoing<'_>,
    upstream: &mut Upstream,
) -> Result<Answer, Error> {
    let mut incoming = Incoming::new(exchange, wants_upgrade(exchange.head));
    let mut sending = Sending::Open;
    poll_fn(|cx| {
        let downstream = &mut *exchange.downstream;
        if matches!(sending, Sending::Open) {
            sending = poll_send(cx, exchange.worker, downstream, upstream, outgoing)?;
        }
        let asked = Asked { request: exchange.head, sending: &outgoing.sending };
        if let Poll::Ready(answer) = incoming.poll(cx, &asked, downstream, upstream) {
            return Poll::Ready(answer);
        }
        if let Sending::Broken(error) = sending
            && upstream.served > 0
            && !incoming.answered
        {
            // An endpoint that closed an idle connection will not answer on it either.
            return Poll::Ready(Err(error));
        }
        if downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        let progress = outgoing.sending.progress();
        outgoing.deadlines.poll(cx, &mut downstream.timer, progress).map(Err)
    })
    .await
}

enum Sending {
    Open,
    Done,
    /// The endpoint no longer reads; its answer may be on the way all the same.
    Broken(Error),
}

fn poll_send(
    cx: &mut Context<'_>,
    worker: &Worker,
    downstream: &mut Downstream,
    upstream: &mut Upstream,
    outgoing: &mut Outgoing<'_>,
) -> Result<Sending, Error> {
    let moved = outgoing.sending.poll(cx, &worker.buffers, &mut downstream.stream, &mut upstream.stream);
    match moved {
        Poll::Pending => Ok(Sending::Open),
        Poll::Ready(Ok(())) => {
            outgoing.deadlines.request_sent(outgoing.route);
            Ok(Sending::Done)
        }
        Poll::Ready(Err(Broken::Sink(error))) => {
            outgoing.deadlines.request_sent(outgoing.route);
            Ok(Sending::Broken(lost(&error)))
        }
        Poll::Ready(Err(broken)) => Err(broken.in_request()),
    }
}
