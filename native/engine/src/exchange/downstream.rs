//! The client's side of an exchange: its socket, its timer, what it sent before it was asked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use weft_rt::{Addr, Stream, Timer};

use crate::error::{Error, Kind};
use crate::http::framing::{Framing, downstream_framing};
use crate::http::head::{RequestHead, Version};
use crate::transfer::buffer::Buffer;
use crate::worker::serving::{Admitted, Serving};

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
    /// Bodies go without framing: they end when their side of the stream does, unless a length was told.
    unframed: bool,
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
        Self::with_client(stream, client, socket, admitted, abort_on_close)
    }

    /// One request that came through a door; `None` for a client without an address.
    pub fn behind_door(stream: Stream, client: Option<SocketAddr>, serving: &Rc<Serving>) -> Self {
        let text = client.map_or("unknown".into(), |client| client.ip().to_string().into_boxed_str());
        let own = Self::with_client(stream, text, client, Admitted::uncounted(serving), false);
        Self { unframed: true, ..own }
    }

    fn with_client(
        stream: Stream,
        client: Box<str>,
        socket: Option<SocketAddr>,
        admitted: Admitted,
        abort_on_close: bool,
    ) -> Self {
        let (timer, ahead, inbox) = (Timer::new(), Vec::new(), Vec::new());
        let unframed = false;
        Self { stream, timer, ahead, client, socket, admitted, served: 0, abort_on_close, inbox, unframed }
    }

    /// Whether the request came through a door.
    pub fn is_behind_door(&self) -> bool {
        self.unframed
    }

    /// How a request's body that is framed so is read from the stream.
    pub fn body_as_read(&self, request: Framing) -> Framing {
        if self.unframed && request == Framing::Chunked { Framing::UntilClose } else { request }
    }

    /// How an answer's body that came in this framing is written to the stream, for a client of that version.
    pub fn body_as_written(&self, answer: Framing, version: Version) -> Framing {
        downstream_framing(answer, if self.unframed { Version::Http10 } else { version })
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
        if self.abort_on_close && self.stream.poll_readable(cx).is_ready() && self.stream.is_at_end() {
            return Poll::Ready(());
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
