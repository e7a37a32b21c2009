//! A client's connection: one request after the other, each handed to [`crate::exchange`].
//!
//! While it waits for a request it holds no buffer and no head: only its socket, its timer and a small task.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;
use weft_rt::{Stream, Timer};

use crate::buffer::Buffer;
use crate::error::{Error, Kind};
use crate::exchange;
use crate::http::head::RequestHead;
use crate::http::parse::{HeadLimits, Parsed, parse_request};
use crate::listener::{Admitted, Serving};
use crate::snapshot::ListenerLimits;
use crate::worker::{Connections, Worker};

/// What a lingering close reads and throws away at most, and for how long.
const LINGER_BYTES: usize = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// The client's side of an exchange.
pub struct Downstream {
    /// The socket.
    pub stream: Stream,
    /// One timer for whatever is waited for.
    pub timer: Timer,
    /// 1xx heads that are not sent yet: whatever is written next goes behind them.
    pub ahead: Vec<u8>,
    /// The client's address as `x-forwarded-for` wants it.
    pub client: Box<str>,
    /// The same for the record.
    pub socket: SocketAddr,
    /// The listener it came through, and its place there.
    pub admitted: Admitted,
    /// Requests served.
    pub served: u32,
    /// FIN amid a request gives it up.
    pub abort_on_close: bool,
    /// Bytes that came before they were asked for: a part of a head, or the next requests of a pipeline.
    inbox: Vec<u8>,
}

/// A request whose head is complete.
pub struct Request {
    /// Its head.
    pub head: Box<RequestHead>,
    /// What came behind the head.
    pub rest: Option<Buffer>,
    /// When its first byte was seen.
    pub started: Instant,
}

/// What becomes of a connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It waits for the next request.
    Request,
    /// It is closed: all that was asked for is answered.
    Close,
    /// It is closed after the rest of a request was read and dropped, so that the answer is not lost to a reset.
    Linger,
}

/// Serves a connection until it ends.
///
/// A block instead of an `async fn`: it uses what it captures in place, where a function's arguments would be kept
/// twice in each of ten thousand waiting connections.
#[expect(clippy::manual_async_fn, reason = "its arguments would be kept twice")]
pub fn serve(mut downstream: Downstream, worker: Rc<Worker>) -> impl Future<Output = ()> {
    async move {
        let _place = Connections::enter(&worker).await;
        let next = loop {
            let next = match downstream.next_request(&worker).await {
                // Boxed, so that a waiting connection does not carry the room of a whole exchange.
                Ok(Some(request)) => Box::pin(exchange::run(&mut downstream, &worker, request)).await,
                Ok(None) => Next::Close,
                Err(error) => Box::pin(exchange::refuse(&mut downstream, &worker, error)).await,
            };
            if next != Next::Request {
                break next;
            }
        };
        if next == Next::Linger {
            Box::pin(downstream.linger(&worker)).await;
        }
    }
}

impl Downstream {
    /// A connection that was just accepted.
    pub fn new(stream: Stream, socket: SocketAddr, admitted: Admitted, abort_on_close: bool) -> Self {
        let client = socket.ip().to_string().into_boxed_str();
        let (timer, ahead, inbox) = (Timer::new(), Vec::new(), Vec::new());
        Self { stream, timer, ahead, client, socket, admitted, served: 0, abort_on_close, inbox }
    }

    /// The listener it came through.
    pub fn serving(&self) -> &Rc<Serving> {
        &self.admitted.serving
    }

    /// Keeps what a request left over: the beginning of the next one.
    pub fn keep(&mut self, rest: Buffer) {
        self.inbox.extend_from_slice(rest.unread());
    }

    /// The next request, or `None` when the connection ends between requests.
    async fn next_request(&mut self, worker: &Worker) -> Result<Option<Request>, Error> {
        let (limits, head_limits) = self.serving().limits();
        let mut waiting = Waiting::new(limits, head_limits);
        poll_fn(|cx| waiting.poll(cx, self, worker)).await
    }

    /// Ready when the client has given up: reset, or closed where the listener takes that for an abort.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stream.poll_reset(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.abort_on_close && self.stream.poll_readable(cx).is_ready() {
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            if matches!(rustix::net::recv(self.stream.as_fd(), &mut [0_u8; 1], flags), Ok((_, 0))) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Sends what must go before anything else.
    pub fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.ahead.is_empty() {
            let sent = ready!(self.stream.poll_write(cx, &self.ahead)).map_err(|error| gone(&error))?;
            self.ahead.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Half-closes, then reads and drops what still comes (RFC 9112 section 9.6).
    pub async fn linger(&mut self, worker: &Worker) {
        if self.stream.shutdown_write().is_err() {
            return;
        }
        self.timer.set(Some(weft_rt::now() + LINGER));
        let mut dropped = 0;
        poll_fn(|cx| {
            while dropped < LINGER_BYTES {
                let mut buffer = worker.buffers.take();
                let read = self.stream.poll_read(cx, buffer.spare());
                worker.buffers.give(buffer);
                match read {
                    Poll::Ready(Ok(bytes)) if bytes > 0 => dropped += bytes,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return self.timer.poll_expired(cx),
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// The error of a client whose socket failed.
pub fn gone(error: &io::Error) -> Error {
    Error::io(Kind::DownstreamGone, "the client's connection failed", error)
}

/// A connection between two requests.
struct Waiting {
    head_limits: HeadLimits,
    headers_timeout: Duration,
    idle_timeout: Duration,
    /// When the first byte of the head was seen.
    began: Option<Instant>,
    looked: bool,
}

impl Waiting {
    fn new(limits: ListenerLimits, head_limits: HeadLimits) -> Self {
        Self {
            head_limits,
            headers_timeout: Duration::from_millis(limits.headers_timeout_ms.into()),
            idle_timeout: Duration::from_millis(limits.idle_timeout_ms.into()),
            began: None,
            looked: false,
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
                    return self.poll_waiting(cx, downstream, worker);
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
    fn arrived(&mut self, buffer: Buffer, downstream: &mut Downstream, worker: &Worker) -> Result<Option<Request>, Error> {
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

    fn parse(&self, mut buffer: Buffer, downstream: &mut Downstream, worker: &Worker) -> Result<Option<Request>, Error> {
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
        &self,
        cx: &mut Context<'_>,
        downstream: &mut Downstream,
        worker: &Worker,
    ) -> Poll<Result<Option<Request>, Error>> {
        let between = downstream.inbox.is_empty();
        if between && (worker.is_draining() || downstream.serving().is_closing()) && downstream.served > 0 {
            return Poll::Ready(Ok(None));
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
