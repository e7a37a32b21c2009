//! A client's connection: one request after the other, each handed to [`crate::exchange::driver`].
//!
//! While it waits for a request it holds no buffer and no head: only its socket, its timer and a small task.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind};
use crate::exchange::downstream::{Downstream, Next, Request};
use crate::exchange::driver;
use crate::exchange::reply;
use crate::http::parse::{HeadLimits, Parsed, parse_request};
use crate::snapshot::ListenerLimits;
use crate::transfer::buffer::Buffer;
use crate::worker::{Connections, Worker};

/// What a lingering close reads and throws away at most, and for how long.
const LINGER_BYTES: usize = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection until it ends.
///
/// A block instead of an `async fn`: it uses what it captures in place, where a function's arguments would be kept
/// twice in each of ten thousand waiting connections.
#[expect(clippy::manual_async_fn, reason = "its arguments would be kept twice")]
pub fn serve(mut downstream: Downstream, worker: Rc<Worker>) -> impl Future<Output = ()> {
    async move {
        let _place = Connections::enter(&worker).await;
        let next = loop {
            let next = match next_request(&mut downstream, &worker).await {
                // Boxed, so that a waiting connection does not carry the room of a whole exchange.
                Ok(Some(request)) => Box::pin(driver::run(&mut downstream, &worker, request)).await,
                Ok(None) => Next::Close,
                Err(error) => Box::pin(reply::refuse(&mut downstream, &worker, error)).await,
            };
            if next != Next::Request {
                break next;
            }
        };
        if next == Next::Linger {
            Box::pin(linger(&mut downstream, &worker)).await;
        }
    }
}

/// The next request, or `None` when the connection ends between requests.
async fn next_request(downstream: &mut Downstream, worker: &Worker) -> Result<Option<Request>, Error> {
    let (limits, head_limits) = downstream.serving().limits();
    let mut waiting = Waiting::new(limits, head_limits);
    poll_fn(|cx| waiting.poll(cx, downstream, worker)).await
}

/// Half-closes, then reads and drops what still comes (RFC 9112 section 9.6).
pub async fn linger(downstream: &mut Downstream, worker: &Worker) {
    if downstream.stream.shutdown_write().is_err() {
        return;
    }
    downstream.timer.set(Some(weft_rt::now() + LINGER));
    let mut dropped = 0;
    poll_fn(|cx| {
        while dropped < LINGER_BYTES {
            let mut buffer = worker.buffers.take();
            let read = downstream.stream.poll_read(cx, buffer.spare());
            worker.buffers.give(buffer);
            match read {
                Poll::Ready(Ok(bytes)) if bytes > 0 => dropped += bytes,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return downstream.timer.poll_expired(cx),
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// How long a drain leaves a connection between two requests open: the next request may be on its way already, and
/// closing on it would be a failed request. Its answer says `connection: close`.
pub const QUIET: Duration = Duration::from_millis(250);

/// A connection between two requests.
struct Waiting {
    head_limits: HeadLimits,
    headers_timeout: Duration,
    idle_timeout: Duration,
    /// When the first byte of the head was seen.
    began: Option<Instant>,
    looked: bool,
    /// A drain waits for its silence.
    leaving: bool,
}

impl Waiting {
    fn new(limits: ListenerLimits, head_limits: HeadLimits) -> Self {
        Self {
            head_limits,
            headers_timeout: Duration::from_millis(limits.headers_timeout_ms.into()),
            idle_timeout: Duration::from_millis(limits.idle_timeout_ms.into()),
            began: None,
            looked: false,
            leaving: false,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        downstream: &mut Downstream,
        worker: &Worker,
    ) -> Poll<Result<Option<Request>, Error>> {
        if !self.looked {
            self.looked = true;
            let after = if downstream.inbox.is_empty() { self.idle_timeout } else { self.headers_timeout };
            downstream.timer.set(Some(weft_rt::now() + after));
            if !downstream.inbox.is_empty() {
                self.began = Some(weft_rt::now());
                let gathered = Buffer::from_vec(std::mem::take(&mut downstream.inbox));
                if let Some(request) = self.parse(gathered, downstream, worker)? {
                    return Poll::Ready(Ok(Some(request)));
                }
            }
        }
        loop {
            let mut buffer = worker.buffers.take();
            let read = downstream.stream.poll_read(cx, buffer.spare());
            match read {
                Poll::Ready(Ok(bytes)) if bytes > 0 => buffer.filled(bytes),
                Poll::Pending => {
                    worker.buffers.give(buffer);
                    return self.poll_waiting(cx, downstream);
                }
                Poll::Ready(_) => {
                    worker.buffers.give(buffer);
                    return Poll::Ready(self.ended(downstream));
                }
            }
            if let Some(request) = self.arrived(buffer, downstream, worker)? {
                return Poll::Ready(Ok(Some(request)));
            }
        }
    }

    /// Bytes came: tries to make a head of them, together with those that came before.
    fn arrived(
        &mut self,
        buffer: Buffer,
        downstream: &mut Downstream,
        worker: &Worker,
    ) -> Result<Option<Request>, Error> {
        if self.began.is_none() {
            self.began = Some(weft_rt::now());
            let parsed = self.parse(buffer, downstream, worker)?;
            if parsed.is_none() {
                downstream.timer.set(Some(weft_rt::now() + self.headers_timeout));
            }
            return Ok(parsed);
        }
        // A head that comes in many pieces is looked at again only when a line ends or the bound is passed.
        let line_ends = buffer.unread().contains(&b'\n');
        downstream.inbox.extend_from_slice(buffer.unread());
        worker.buffers.give(buffer);
        if !line_ends && downstream.inbox.len() <= self.head_limits.max_bytes {
            return Ok(None);
        }
        self.parse(Buffer::from_vec(std::mem::take(&mut downstream.inbox)), downstream, worker)
    }

    fn parse(
        &self,
        mut buffer: Buffer,
        downstream: &mut Downstream,
        worker: &Worker,
    ) -> Result<Option<Request>, Error> {
        let mut head = worker.heads.take_request();
        match parse_request(buffer.unread(), self.head_limits, &mut head)? {
            Parsed::Complete(bytes) => {
                buffer.consume(bytes);
                let started = self.began.unwrap_or_else(weft_rt::now);
                Ok(Some(Request { head, rest: worker.buffers.keep_unread(buffer), started }))
            }
            Parsed::Partial => {
                worker.heads.give_request(head);
                downstream.keep(buffer);
                Ok(None)
            }
        }
    }

    /// Nothing to read: the clock that runs now decides, and a drain ends a connection between requests.
    fn poll_waiting(
        &mut self,
        cx: &mut Context<'_>,
        downstream: &mut Downstream,
    ) -> Poll<Result<Option<Request>, Error>> {
        let between = downstream.inbox.is_empty();
        let ending = downstream.serving().is_closing();
        if between && ending && downstream.served > 0 && !self.leaving {
            self.leaving = true;
            downstream.timer.set(Some(weft_rt::now() + QUIET));
        }
        ready!(downstream.timer.poll_expired(cx));
        Poll::Ready(if between {
            Ok(None)
        } else {
            Err(Error::new(Kind::HeadersTimeout, "the request's head did not come in time"))
        })
    }

    fn ended(&self, downstream: &Downstream) -> Result<Option<Request>, Error> {
        if downstream.inbox.is_empty() {
            return Ok(None);
        }
        Err(Error::new(Kind::DownstreamGone, "the client closed amid a request's head"))
    }
}
