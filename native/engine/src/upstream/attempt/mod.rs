//! One attempt: a connection is obtained, the request goes out, the answer's head comes in.
//!
//! Both directions move at once, for an endpoint may answer before it has read the whole request. On an error nothing
//! but 1xx answers has reached the client.

pub mod answer;
pub mod beside;
pub mod discard;
mod obtain;
pub mod outgoing;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::exchange::downstream::Downstream;
use crate::exchange::ongoing::Ongoing;
use crate::http::framing::wants_upgrade;
use crate::snapshot::Endpoint;
use crate::transfer::Broken;
use crate::upstream::connection::connect::Upstream;
use crate::worker::Worker;
use answer::{Answer, Asked, Incoming, lost};
use obtain::obtain;
use outgoing::Outgoing;

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
    let mut asking = Asking::begin(exchange, outgoing, endpoint).await?;
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = asking.poll(cx, exchange, outgoing) {
            return Poll::Ready(answer);
        }
        outgoing.poll_over(cx, exchange).map(Err)
    })
    .await;
    asking.end(exchange, outgoing, answer)
}

/// An attempt that has its connection, until its answer's head is whole.
pub struct Asking<'a> {
    upstream: Upstream,
    incoming: Incoming<'a>,
    sending: Sending,
}

impl<'a> Asking<'a> {
    /// Gets the connection.
    pub async fn begin(
        exchange: &mut Ongoing<'a>,
        outgoing: &mut Outgoing<'_>,
        endpoint: &Arc<Endpoint>,
    ) -> Result<Self, Error> {
        if exchange.head.text(exchange.head.authority).is_empty() {
            // HTTP/1.0 without a Host; what we send on is HTTP/1.1, which must have one.
            exchange.head.set_authority(endpoint.authority().as_bytes());
        }
        outgoing.attempt_begins(exchange);
        let upstream = obtain(exchange, outgoing, endpoint).await?;
        outgoing.begin(exchange);
        let incoming = Incoming::new(exchange, wants_upgrade(exchange.head));
        Ok(Self { upstream, incoming, sending: Sending::Open })
    }

    /// Sends the request, and is ready with the answer's head. Who else may end the attempt is asked by the caller.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Ongoing<'_>,
        outgoing: &mut Outgoing<'_>,
    ) -> Poll<Result<Answer, Error>> {
        let Self { upstream, incoming, sending } = self;
        let downstream = &mut *exchange.downstream;
        if matches!(sending, Sending::Open) {
            *sending = poll_send(cx, exchange.worker, downstream, upstream, outgoing)?;
        }
        let asked = Asked { request: exchange.head, sending: &outgoing.sending };
        if let Poll::Ready(answer) = incoming.poll(cx, &asked, downstream, upstream) {
            return Poll::Ready(answer);
        }
        match *sending {
            // An endpoint that closed an idle connection will not answer on it either.
            Sending::Broken(error) if upstream.served > 0 && !incoming.answered => Poll::Ready(Err(error)),
            _ => Poll::Pending,
        }
    }

    /// The attempt is over.
    pub fn end(
        self,
        exchange: &mut Ongoing<'_>,
        outgoing: &mut Outgoing<'_>,
        answer: Result<Answer, Error>,
    ) -> Result<Answered, Error> {
        exchange.unread = !outgoing.sending.is_decoded();
        exchange.account.request_bytes(outgoing.sending.body_bytes);
        let endpoint = Arc::clone(&self.upstream.endpoint);
        let attempted = answer.map(|answer| Answered { answer, upstream: self.upstream });
        outgoing.settle(exchange, &endpoint, &attempted);
        attempted
    }
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
