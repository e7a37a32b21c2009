//! One attempt: the request goes out, the answer's head comes in.
//!
//! Both directions move at once, for an endpoint may answer before it has read the whole request. 1xx answers are
//! passed on as they come (RFC 9110 section 15.2).

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use super::connect::Upstream;
use crate::buffer::{Buffer, Buffers};
use crate::deadline::Deadlines;
use crate::downstream::Downstream;
use crate::error::{Error, Kind};
use crate::heads::Heads;
use crate::http::forward::encode_informational;
use crate::http::framing::{Framing, response_framing};
use crate::http::head::{Method, RequestHead, ResponseHead, Version};
use crate::http::parse::{HeadLimits, Parsed, parse_response};
use crate::snapshot::GenerationRoute;
use crate::transfer::{Broken, Transfer};

/// Bounds on an answer's head: generous, for endpoints are trusted more than clients, but never endless.
pub const ANSWER_LIMITS: HeadLimits = HeadLimits { max_bytes: 128 * 1024, max_fields: 256 };

/// The final answer's head, and what of its body came with it.
pub struct Answer {
    /// The head.
    pub head: Box<ResponseHead>,
    /// How its body is delimited.
    pub framing: Framing,
    /// First bytes behind the head.
    pub rest: Option<Buffer>,
    /// The endpoint switched protocols as the client asked.
    pub switched: bool,
}

/// What an attempt works on.
pub struct Attempt<'a> {
    /// The request.
    pub request: &'a RequestHead,
    /// The client asked for another protocol.
    pub upgrade: bool,
    /// Where the client waits.
    pub downstream: &'a mut Downstream,
    /// Where the request goes.
    pub upstream: &'a mut Upstream,
    /// The request's bytes.
    pub sending: &'a mut Transfer,
    /// The exchange's clocks.
    pub deadlines: &'a mut Deadlines,
    /// Its route.
    pub route: &'a GenerationRoute,
}

/// Runs an attempt. On an error nothing but 1xx answers has reached the client.
pub async fn run(mut attempt: Attempt<'_>, buffers: &Buffers, heads: &Heads) -> Result<Answer, Error> {
    let mut incoming = Incoming { buffers, heads, partial: Vec::new(), answered: false };
    let mut sending = Sending::Open;
    poll_fn(|cx| {
        if matches!(sending, Sending::Open) {
            sending = attempt.poll_send(cx, buffers)?;
        }
        if let Poll::Ready(answer) = incoming.poll(cx, &mut attempt) {
            return Poll::Ready(answer);
        }
        if let Sending::Broken(error) = sending
            && attempt.upstream.served > 0
            && !incoming.answered
        {
            // An endpoint that closed an idle connection will not answer on it either.
            return Poll::Ready(Err(error));
        }
        if attempt.downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        let progress = attempt.sending.progress();
        attempt.deadlines.poll(cx, &mut attempt.downstream.timer, progress).map(Err)
    })
    .await
}

enum Sending {
    Open,
    Done,
    /// The endpoint no longer reads; its answer may be on the way all the same.
    Broken(Error),
}

impl Attempt<'_> {
    fn poll_send(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Result<Sending, Error> {
        let moved = self.sending.poll(cx, buffers, &mut self.downstream.stream, &mut self.upstream.stream);
        match moved {
            Poll::Pending => Ok(Sending::Open),
            Poll::Ready(Ok(())) => {
                self.deadlines.request_sent(self.route);
                Ok(Sending::Done)
            }
            Poll::Ready(Err(Broken::Sink(error))) => {
                self.deadlines.request_sent(self.route);
                Ok(Sending::Broken(lost(&error)))
            }
            Poll::Ready(Err(broken)) => Err(request_error(&broken)),
        }
    }
}

/// The error of a request whose own bytes failed.
pub fn request_error(broken: &Broken) -> Error {
    match broken {
        Broken::Malformed(reason) => Error::new(Kind::Refused(400), reason),
        Broken::Source(error) | Broken::Sink(error) => {
            Error::io(Kind::DownstreamGone, "the client's connection failed", error)
        }
        Broken::Truncated => Error::new(Kind::DownstreamGone, "the client closed amid its request"),
    }
}

/// The error of a connection that the endpoint ended before its answer.
fn lost(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionReset => Error::io(Kind::UpstreamReset, "the endpoint reset the connection", error),
        _ => Error::io(Kind::UpstreamClosed, "the endpoint closed the connection", error),
    }
}

/// The answer's direction until its head is whole.
struct Incoming<'a> {
    buffers: &'a Buffers,
    heads: &'a Heads,
    partial: Vec<u8>,
    answered: bool,
}

impl Incoming<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, attempt: &mut Attempt<'_>) -> Poll<Result<Answer, Error>> {
        loop {
            ready!(attempt.downstream.poll_ahead(cx))?;
            let mut buffer = self.buffers.take();
            let read = attempt.upstream.stream.poll_read(cx, buffer.spare());
            match read {
                Poll::Ready(Ok(bytes)) if bytes > 0 => buffer.filled(bytes),
                Poll::Pending => {
                    self.buffers.give(buffer);
                    return Poll::Pending;
                }
                Poll::Ready(ended) => {
                    self.buffers.give(buffer);
                    return Poll::Ready(Err(self.ended(ended.err().as_ref())));
                }
            }
            if !self.partial.is_empty() {
                self.partial.extend_from_slice(buffer.unread());
                self.buffers.give(buffer);
                buffer = Buffer::from_vec(std::mem::take(&mut self.partial));
            }
            if let Some(answer) = self.parse(buffer, attempt)? {
                return Poll::Ready(Ok(answer));
            }
        }
    }

    /// Takes heads from the buffer until the final one. `None`: more bytes are needed.
    fn parse(&mut self, mut buffer: Buffer, attempt: &mut Attempt<'_>) -> Result<Option<Answer>, Error> {
        let mut head = self.heads.take_response();
        while !buffer.is_empty() {
            let parsed = parse_response(buffer.unread(), ANSWER_LIMITS, &mut head)
                .map_err(|refusal| malformed(refusal.reason))?;
            let Parsed::Complete(bytes) = parsed else { break };
            buffer.consume(bytes);
            self.answered = true;
            let switched = head.status == 101;
            if switched && !attempt.upgrade {
                return Err(malformed("the endpoint switched protocols unasked"));
            }
            if switched && !attempt.sending.is_done() {
                // RFC 9110 section 7.8: the new protocol begins behind the whole request.
                return Err(malformed("the endpoint switched protocols amid the request"));
            }
            let framing =
                response_framing(&head, attempt.request.method).map_err(|refusal| malformed(refusal.reason))?;
            if (100..200).contains(&head.status) && !switched {
                if attempt.request.version == Version::Http11 {
                    encode_informational(&head, &mut attempt.downstream.ahead);
                }
                continue;
            }
            let framing = if switched { Framing::UntilClose } else { framing };
            let rest = self.buffers.keep_unread(buffer);
            return Ok(Some(Answer { head, framing, rest, switched }));
        }
        self.partial.extend_from_slice(buffer.unread());
        self.buffers.give(buffer);
        self.heads.give_response(head);
        Ok(None)
    }

    fn ended(&self, error: Option<&io::Error>) -> Error {
        match error {
            _ if !self.partial.is_empty() => {
                Error::new(Kind::UpstreamMalformed, "the endpoint ended amid its answer's head")
            }
            // Not the error of a connection that was closed for being idle: 1xx answers have been passed on.
            _ if self.answered => Error::new(Kind::UpstreamMalformed, "the endpoint sent no final answer"),
            Some(error) => lost(error),
            None => Error::new(Kind::UpstreamClosed, "the endpoint closed the connection without an answer"),
        }
    }
}

fn malformed(reason: &'static str) -> Error {
    Error::new(Kind::UpstreamMalformed, reason)
}

/// Whether an attempt that failed like this may be made again: the connection had been used before, the endpoint sent
/// nothing, and the request can be repeated.
pub fn is_replayable(error: &Error, method: Method, reused: bool, body: Framing) -> bool {
    reused && matches!(error.kind, Kind::UpstreamClosed | Kind::UpstreamReset) && may_repeat(method, body)
}

/// Whether sending the request twice is the same as sending it once (RFC 9110 section 9.2.2) and nothing of it is used up.
pub fn may_repeat(method: Method, body: Framing) -> bool {
    let idempotent =
        matches!(method, Method::Get | Method::Head | Method::Options | Method::Put | Method::Delete | Method::Trace);
    idempotent && matches!(body, Framing::None)
}
