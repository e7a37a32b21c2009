//! After `101 Switching Protocols`: bytes both ways until both sides have ended.
//!
//! One side's end of stream is passed on as a half-close; the other direction goes on. A client that is gone ends it even
//! while its endpoint takes nothing and nobody reads from the client.

use std::future::poll_fn;
use std::task::{Context, Poll};

use weft_rt::Stream;

use crate::error::{Error, Kind};
use crate::exchange::deadline::Deadlines;
use crate::exchange::downstream::{Next, gone};
use crate::exchange::ongoing::Ongoing;
use crate::filter::{self, Stop};
use crate::http::forward::{Connection, ForwardResponse, encode_response};
use crate::http::framing::Framing;
use crate::transfer::buffer::{Buffer, Buffers};
use crate::transfer::{Broken, Transfer};
use crate::upstream::attempt::Answered;
use crate::upstream::attempt::outgoing::Outgoing;

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
        added: &exchange.answer_lines(),
    };
    encode_response(&answer.head, &forward, &mut out);
    let mut tunnel = Tunnel {
        up: raw(Vec::new(), early),
        down: raw(out, answer.rest),
        up_ended: false,
        down_ended: false,
        // A door is told that its answer ends by the end of the exchange, and has no use for half a connection.
        ends_with_down: exchange.downstream.is_behind_door(),
    };
    let mut deadlines = Deadlines::start(outgoing.route, weft_rt::now(), false);
    deadlines.answer_began();
    exchange.answering = true;
    let ended = poll_fn(|cx| {
        let client = &mut exchange.downstream.stream;
        if let Poll::Ready(ended) = tunnel.poll(cx, &exchange.worker.buffers, client, &mut upstream.stream) {
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

/// A direction of bytes as they are.
fn raw(out: Vec<u8>, rest: Option<Buffer>) -> Transfer {
    Transfer::new(Framing::UntilClose, Framing::UntilClose, 0, out, rest)
}

struct Tunnel {
    up: Transfer,
    down: Transfer,
    up_ended: bool,
    down_ended: bool,
    ends_with_down: bool,
}

impl Tunnel {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        client: &mut Stream,
        endpoint: &mut Stream,
    ) -> Poll<Result<(), Error>> {
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
        if self.down_ended && (self.up_ended || self.ends_with_down) {
            return Poll::Ready(Ok(()));
        }
        // While something waits for the endpoint to take it the client is not read, and would not be missed.
        if (self.up_ended || self.up.has_unsent()) && client.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client has gone")));
        }
        Poll::Pending
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    fn tunnel() -> Tunnel {
        let (up, down) = (raw(Vec::new(), None), raw(Vec::new(), None));
        Tunnel { up, down, up_ended: false, down_ended: false, ends_with_down: true }
    }

    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Stream::from_fd(ours.into()).unwrap(), theirs)
    }

    /// The end of a tunnel; `None` when it has not ended after five seconds.
    async fn ended(tunnel: &mut Tunnel, client: &mut Stream, endpoint: &mut Stream) -> Option<Result<(), Error>> {
        let (buffers, mut timer) = (Buffers::default(), weft_rt::Timer::new());
        timer.set(Some(weft_rt::now() + Duration::from_secs(5)));
        poll_fn(|cx| {
            let polled = tunnel.poll(cx, &buffers, client, endpoint).map(Some);
            if polled.is_ready() { polled } else { timer.poll_expired(cx).map(|()| None) }
        })
        .await
    }

    /// Lets it do what it can before anybody else has a turn.
    async fn turn(tunnel: &mut Tunnel, client: &mut Stream, endpoint: &mut Stream) {
        let (buffers, mut turned) = (Buffers::default(), false);
        poll_fn(|cx| {
            if std::mem::replace(&mut turned, true) {
                return Poll::Ready(());
            }
            assert!(tunnel.poll(cx, &buffers, client, endpoint).is_pending());
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn a_client_that_leaves_ends_a_tunnel_whose_endpoint_takes_nothing() {
        weft_rt::tokio_rt::run(async {
            let ((mut client, peer), (mut endpoint, _takes_nothing)) = (weft_rt::memory(), pair());
            let mut tunnel = tunnel();
            while !tunnel.up.has_unsent() {
                peer.send(&[0; 32 * 1024]);
                turn(&mut tunnel, &mut client, &mut endpoint).await;
            }
            peer.reset();
            let ended = ended(&mut tunnel, &mut client, &mut endpoint).await.unwrap();
            assert_eq!(ended.unwrap_err().kind, Kind::DownstreamGone);
        });
    }

    #[test]
    fn a_client_that_leaves_after_its_last_word_ends_a_tunnel_whose_endpoint_says_nothing() {
        weft_rt::tokio_rt::run(async {
            let ((mut client, peer), (mut endpoint, _silent)) = (weft_rt::memory(), pair());
            let mut tunnel = tunnel();
            peer.end();
            turn(&mut tunnel, &mut client, &mut endpoint).await;
            peer.reset();
            let ended = ended(&mut tunnel, &mut client, &mut endpoint).await.unwrap();
            assert_eq!(ended.unwrap_err().kind, Kind::DownstreamGone);
        });
    }
}
