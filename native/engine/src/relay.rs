//! The two bodies of an exchange on their way: the request as it is sent, the answer as it goes back.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::deadline::Deadlines;
use crate::downstream::{Downstream, Next, gone};
use crate::error::{Error, Kind};
use crate::filter::{self, Stop};
use crate::http::forward::{Connection, ForwardResponse, encode_response};
use crate::http::framing::{Framing, downstream_framing, response_keep_alive};
use crate::ongoing::Ongoing;
use crate::snapshot::GenerationCluster;
use crate::transfer::{Broken, Transfer};
use crate::upstream::answer::{ANSWER_LIMITS, Answer};
use crate::upstream::attempt::{Answered, request_error};
use crate::upstream::connect::Upstream;
use crate::upstream::outgoing::Outgoing;
use crate::upstream::pool;
use crate::worker::Worker;

/// How long a client may take to accept a local reply.
const REPLY_PATIENCE: Duration = Duration::from_secs(10);

/// Sends the answer back while the rest of the request still goes out.
pub async fn run(
    exchange: &mut Ongoing<'_>,
    cluster: &GenerationCluster,
    answered: Answered,
    outgoing: &mut Outgoing<'_>,
) -> Result<Next, Stop> {
    let Answered { mut answer, mut upstream } = answered;
    outgoing.answered();
    let Outgoing { sending, deadlines, .. } = outgoing;
    filter::response(exchange, &mut answer.head).await?;
    exchange.account.answered(&answer.head);
    let framing = downstream_framing(answer.framing, exchange.head.version);
    let keep_alive = exchange.may_keep_alive() && sending.is_decoded() && framing != Framing::UntilClose;
    let mut answering = answer_transfer(exchange, &answer, framing, keep_alive);
    let reusable = response_keep_alive(&answer.head) && answer.framing != Framing::UntilClose;
    answering.fill_with(answer.rest);
    pool::hear(&upstream, &answer.head, &cluster.keeping);
    exchange.worker.heads.give_response(answer.head);

    let relaying = Relaying { exchange, upstream: &mut upstream, sending, answering: &mut answering, broken: false };
    let relayed = relaying.run(deadlines).await;

    exchange.unread = !sending.is_decoded();
    exchange.account.request_bytes(sending.body_bytes);
    exchange.account.response_bytes(answering.body_bytes);
    exchange.answering = answering.has_sent();
    let request_sent = sending.is_done();
    if let Some(next_request) = sending.finish(&exchange.worker.buffers) {
        exchange.downstream.keep(next_request);
    }
    let surplus = answering.finish(&exchange.worker.buffers);
    if let Err(error) = relayed {
        if exchange.answering && framing == Framing::UntilClose {
            // The end of the connection would say that the body is whole; only a reset tells the truth.
            exchange.downstream.stream.set_abort_on_drop();
        }
        return Err(error.into());
    }
    if reusable && request_sent && surplus.is_none() {
        exchange.worker.pool.give(upstream, &cluster.keeping);
    }
    Ok(match (keep_alive, exchange.unread) {
        (true, false) => Next::Request,
        (false, false) => Next::Close,
        (_, true) => Next::Linger,
    })
}

fn answer_transfer(exchange: &mut Ongoing<'_>, answer: &Answer, framing: Framing, keep_alive: bool) -> Transfer {
    let mut out = exchange.worker.buffers.take_output();
    out.append(&mut exchange.downstream.ahead);
    let forward = ForwardResponse {
        framing,
        connection: if keep_alive { Connection::KeepAlive } else { Connection::Close },
        client_version: exchange.head.version,
        date: &exchange.worker.date(),
        retries_spent: exchange.retries_spent,
        changes: exchange.response_changes(),
    };
    encode_response(&answer.head, &forward, &mut out);
    Transfer::new(answer.framing, framing, ANSWER_LIMITS.max_bytes, out, None)
}

struct Relaying<'a, 'e> {
    exchange: &'a mut Ongoing<'e>,
    upstream: &'a mut Upstream,
    sending: &'a mut Transfer,
    answering: &'a mut Transfer,
    /// The endpoint stopped reading the request.
    broken: bool,
}

impl Relaying<'_, '_> {
    async fn run(mut self, deadlines: &mut Deadlines) -> Result<(), Error> {
        poll_fn(|cx| {
            if let Poll::Ready(relayed) = self.poll_both(cx) {
                return Poll::Ready(relayed);
            }
            if self.exchange.downstream.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
            }
            let progress = self.sending.progress() + self.answering.progress();
            deadlines.poll(cx, &mut self.exchange.downstream.timer, progress).map(Err)
        })
        .await
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let buffers = &self.exchange.worker.buffers;
        let (client, endpoint) = (&mut self.exchange.downstream.stream, &mut self.upstream.stream);
        if !self.broken && !self.sending.is_done() {
            match self.sending.poll(cx, buffers, client, endpoint) {
                Poll::Ready(Err(Broken::Sink(_))) => self.broken = true,
                Poll::Ready(Err(broken)) => return Poll::Ready(Err(request_error(&broken))),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        self.answering.poll(cx, buffers, endpoint, client).map_err(|broken| answer_error(&broken))
    }
}

fn answer_error(broken: &Broken) -> Error {
    match broken {
        Broken::Source(error) => {
            Error::io(Kind::UpstreamTruncated, "the endpoint's connection failed amid its answer", error)
        }
        Broken::Truncated => Error::new(Kind::UpstreamTruncated, "the endpoint closed amid its answer"),
        Broken::Malformed(reason) => Error::new(Kind::UpstreamMalformed, reason),
        Broken::TooLarge => Error::new(Kind::Internal, "an answer has no bound"),
        Broken::Sink(error) => gone(error),
    }
}

/// Sends bytes of our own to the client. False: it does not take them.
pub async fn send(downstream: &mut Downstream, worker: &Worker, mut out: Vec<u8>) -> bool {
    downstream.ahead.append(&mut out);
    worker.buffers.give_output(out);
    downstream.timer.set(Some(weft_rt::now() + REPLY_PATIENCE));
    poll_fn(|cx| {
        if let Poll::Ready(sent) = downstream.poll_ahead(cx) {
            return Poll::Ready(sent.is_ok());
        }
        downstream.timer.poll_expired(cx).map(|()| false)
    })
    .await
}
