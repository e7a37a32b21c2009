//! The two bodies of an exchange on their way: the request as it is sent, the answer as it goes back.

mod filtering;

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use filtering::Filtering;
use weft_rt::Stream;

use crate::error::{Error, Kind};
use crate::exchange::deadline::Deadlines;
use crate::exchange::downstream::{Downstream, Next};
use crate::exchange::ongoing::Ongoing;
use crate::filter::Stop;
use crate::http::forward::{Connection, ForwardResponse, encode_response};
use crate::http::framing::{Framing, response_keep_alive};
use crate::snapshot::GenerationCluster;
use crate::transfer::buffer::Buffers;
use crate::transfer::{Broken, Transfer};
use crate::upstream::attempt::Answered;
use crate::upstream::attempt::answer::{ANSWER_LIMITS, Answer};
use crate::upstream::attempt::outgoing::Outgoing;
use crate::upstream::connection::connect::Upstream;
use crate::upstream::connection::pool;
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
    let mut reusable = response_keep_alive(&answer.head) && answer.framing != Framing::UntilClose;
    exchange.account.answered(&answer.head);
    let out = exchange.worker.buffers.take_output();
    let mut answering = Transfer::new(answer.framing, answer.framing, ANSWER_LIMITS.max_bytes, out, answer.rest.take());
    for witness in &exchange.witnesses {
        witness.answer(&answer.head, &mut answering);
    }
    if let Some(bytes_per_second) = exchange.bytes_per_second {
        answering.slow_down(bytes_per_second);
    }
    if !exchange.passed.is_empty() {
        let filtering = Filtering { exchange, upstream: &mut upstream, outgoing, answer: &mut answer };
        if let Err(stop) = filtering.run(&mut answering).await {
            settle_request(exchange, &mut outgoing.sending);
            return Err(stop);
        }
        exchange.account.restated(&answer.head);
    }
    if matches!(answer.head.status, 204 | 304) && answer.framing != Framing::None {
        // A filter has made it an answer without a body. What the endpoint sends of one is not read.
        answering.drop_body();
        reusable = false;
    }
    let Outgoing { sending, deadlines, .. } = outgoing;
    let framing = way_back(exchange, &answer, &mut answering);
    let keep_alive = exchange.may_keep_alive() && sending.is_decoded() && framing != Framing::UntilClose;
    begin(exchange, &answer, &mut answering, keep_alive);
    pool::hear(&upstream, &answer.head, &cluster.keeping);
    exchange.worker.heads.give_response(answer.head);

    let relaying = Relaying { exchange, upstream: &mut upstream, sending, answering: &mut answering, broken: false };
    let relayed = relaying.run(deadlines).await;

    let request_sent = sending.is_done();
    settle_request(exchange, sending);
    exchange.account.response_bytes(answering.passed_bytes());
    exchange.answering = answering.has_sent();
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

/// What was taken of the request, and what stands behind it.
fn settle_request(exchange: &mut Ongoing<'_>, sending: &mut Transfer) {
    exchange.unread = !sending.is_decoded();
    exchange.account.request_bytes(sending.body_bytes);
    if let Some(next_request) = sending.finish(&exchange.worker.buffers) {
        exchange.downstream.keep(next_request);
    }
}

/// How the answer's body goes on to the client.
fn way_back(exchange: &Ongoing<'_>, answer: &Answer, answering: &mut Transfer) -> Framing {
    let version = exchange.head.version;
    if answering.is_bodiless() {
        return answering.framing();
    }
    if answering.is_whole() || answering.is_tapped() {
        // What a filter may change has no length before its end.
        return answering.reframe(exchange.downstream.body_as_written(Framing::Chunked, version));
    }
    let framing = exchange.downstream.body_as_written(answer.framing, version);
    if framing != answer.framing {
        answering.reframe(framing);
    }
    framing
}

/// The head of the answer goes out, with what is held of its body.
fn begin(exchange: &mut Ongoing<'_>, answer: &Answer, answering: &mut Transfer, keep_alive: bool) {
    let forward = ForwardResponse {
        framing: answering.framing(),
        connection: if keep_alive { Connection::KeepAlive } else { Connection::Close },
        client_version: exchange.head.version,
        date: &exchange.worker.date(),
        retries_spent: exchange.retries_spent,
        changes: exchange.response_changes(),
        added: &exchange.answer_lines(),
    };
    let ahead = &mut exchange.downstream.ahead;
    answering.begin(|out| {
        out.append(ahead);
        encode_response(&answer.head, &forward, out);
    });
    answering.keep_no_more();
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
        send_rest(cx, buffers, client, endpoint, self.sending, &mut self.broken)?;
        self.answering.poll(cx, buffers, endpoint, client).map_err(|broken| broken.in_answer())
    }
}

/// Moves what is left of the request. `broken`: the endpoint stopped reading it, which its answer outlives.
fn send_rest(
    cx: &mut Context<'_>,
    buffers: &Buffers,
    client: &mut Stream,
    endpoint: &mut Stream,
    sending: &mut Transfer,
    broken: &mut bool,
) -> Result<(), Error> {
    if !*broken && !sending.is_done() {
        match sending.poll(cx, buffers, client, endpoint) {
            Poll::Ready(Err(Broken::Sink(_))) => *broken = true,
            Poll::Ready(Err(error)) => return Err(error.in_request()),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
    }
    Ok(())
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
