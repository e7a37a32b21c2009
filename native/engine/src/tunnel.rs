//! After `101 Switching Protocols`: bytes both ways until both sides have ended.
//!
//! One side's end of stream is passed on as a half-close; the other direction goes on.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::deadline::Deadlines;
use crate::downstream::{Next, gone};
use crate::error::{Error, Kind};
use crate::filter::{self, Stop};
use crate::http::forward::{Connection, ForwardResponse, encode_response};
use crate::http::framing::Framing;
use crate::ongoing::Ongoing;
use crate::transfer::{Broken, Transfer};
use crate::upstream::attempt::Answered;
use crate::upstream::connect::Upstream;
use crate::upstream::outgoing::Outgoing;

/// Carries the switched connection to its end.
pub async fn run(exchange: &mut Ongoing<'_>, answered: Answered, outgoing: &mut Outgoing<'_>) -> Result<Next, Stop> {
    let Answered { mut answer, mut upstream } = answered;
    outgoing.answered();
    filter::response(exchange, &mut answer.head).await?;
    exchange.account.answered(&answer.head);
    let early = outgoing.sending.finish(&exchange.worker.buffers);
    let mut out = exchange.worker.buffers.take_output();
    out.append(&mut exchange.downstream.ahead);
    let forward = ForwardResponse {
        framing: Framing::UntilClose,
        connection: Connection::Upgrade,
        client_version: exchange.head.version,
        date: &exchange.worker.date(),
        retries_spent: false,
        changes: exchange.response_changes(),
    };
    encode_response(&answer.head, &forward, &mut out);
    let mut tunnel = Tunnel {
        up: Transfer::new(Framing::UntilClose, Framing::UntilClose, 0, Vec::new(), early),
        down: Transfer::new(Framing::UntilClose, Framing::UntilClose, 0, out, answer.rest),
        up_ended: false,
        down_ended: false,
    };
    let mut deadlines = Deadlines::start(outgoing.route, weft_rt::now(), false);
    deadlines.answer_began();
    exchange.answering = true;
    let ended = poll_fn(|cx| {
        if let Poll::Ready(ended) = tunnel.poll(cx, exchange, &mut upstream) {
            return Poll::Ready(ended);
        }
        let progress = tunnel.up.progress() + tunnel.down.progress();
        deadlines.poll(cx, &mut exchange.downstream.timer, progress).map(Err)
    })
    .await;
    exchange.account.request_bytes(tunnel.up.body_bytes);
    exchange.account.response_bytes(tunnel.down.body_bytes);
    ended.map(|()| Next::Close).map_err(Stop::Failed)
}

struct Tunnel {
    up: Transfer,
    down: Transfer,
    up_ended: bool,
    down_ended: bool,
}

impl Tunnel {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Ongoing<'_>,
        upstream: &mut Upstream,
    ) -> Poll<Result<(), Error>> {
        let buffers = &exchange.worker.buffers;
        let (client, endpoint) = (&mut exchange.downstream.stream, &mut upstream.stream);
        if !self.up_ended
            && let Poll::Ready(ended) = self.up.poll(cx, buffers, client, endpoint)
        {
            ended.map_err(|broken| tunnel_error(&broken, true))?;
            self.up_ended = true;
            // An endpoint that is gone already shows itself in the other direction.
            let _half_closed = endpoint.shutdown_write();
        }
        if !self.down_ended
            && let Poll::Ready(ended) = self.down.poll(cx, buffers, endpoint, client)
        {
            ended.map_err(|broken| tunnel_error(&broken, false))?;
            self.down_ended = true;
            let _half_closed = client.shutdown_write();
        }
        // A door is told that its answer ends by the end of the exchange, and has no use for half a connection.
        let whole = self.up_ended || exchange.downstream.is_behind_door();
        if whole && self.down_ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// `upwards`: the direction from the client to the endpoint broke.
fn tunnel_error(broken: &Broken, upwards: bool) -> Error {
    match (broken, upwards) {
        (Broken::Source(error), true) | (Broken::Sink(error), false) => gone(error),
        (Broken::Source(error) | Broken::Sink(error), _) => {
            Error::io(Kind::UpstreamTruncated, "the endpoint's connection failed", error)
        }
        (Broken::Filter(error), _) => *error,
        (Broken::Truncated | Broken::Malformed(_) | Broken::TooLarge, _) => {
            Error::new(Kind::Internal, "a raw stream has no framing")
        }
    }
}
