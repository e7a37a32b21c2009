//! The client's side of an exchange: its socket, its timer, what it sent before it was asked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use rustix::net::RecvFlags;
use weft_rt::{Addr, Stream, Timer};

use crate::buffer::Buffer;
use crate::error::{Error, Kind};
use crate::http::head::RequestHead;
use crate::serving::{Admitted, Serving};

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
    /// The client's address; `None` on a unix socket.
    pub socket: Option<SocketAddr>,
    /// The listener it came through, and its place there.
    pub admitted: Admitted,
    /// Requests served.
    pub served: u32,
    /// FIN amid a request gives it up.
    pub abort_on_close: bool,
    /// Bytes that came before they were asked for: a part of a head, or the next requests of a pipeline.
    pub inbox: Vec<u8>,
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

impl Downstream {
    /// A connection that was just accepted.
    pub fn new(stream: Stream, address: &Addr, admitted: Admitted, abort_on_close: bool) -> Self {
        let (client, socket) = match address {
            Addr::Tcp(socket) => (socket.ip().to_string().into_boxed_str(), Some(*socket)),
            Addr::Unix(_) => ("unknown".into(), None),
        };
        let (timer, ahead, inbox) = (Timer::new(), Vec::new(), Vec::new());
        Self { stream, timer, ahead, client, socket, admitted, served: 0, abort_on_close, inbox }
    }

    /// The listener it came through.
    pub fn serving(&self) -> &Rc<Serving> {
        &self.admitted.serving
    }

    /// The IP address at the connection's other end; `None` on a unix socket.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.socket.map(|socket| socket.ip())
    }

    /// Keeps what a request left over: the beginning of the next one.
    pub fn keep(&mut self, rest: Buffer) {
        self.inbox.extend_from_slice(rest.unread());
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
}

/// The error of a client whose socket failed.
pub fn gone(error: &io::Error) -> Error {
    Error::io(Kind::DownstreamGone, "the client's connection failed", error)
}
