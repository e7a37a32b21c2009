//! The answer's direction until its head is whole.
//!
//! 1xx answers are passed on as they come (RFC 9110 section 15.2).

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::error::{Error, Kind};
use crate::exchange::downstream::Downstream;
use crate::exchange::ongoing::Ongoing;
use crate::http::forward::encode_informational;
use crate::http::framing::{Framing, response_framing};
use crate::http::head::{RequestHead, ResponseHead, Version};
use crate::http::parse::{HeadLimits, Parsed, parse_response};
use crate::transfer::Transfer;
use crate::transfer::buffer::Buffer;
use crate::upstream::connection::connect::Upstream;
use crate::worker::Worker;

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

/// The answer's direction until its head is whole.
pub(super) struct Incoming<'a> {
    worker: &'a Rc<Worker>,
    /// The client asked for another protocol.
    upgrade: bool,
    /// 1xx answers are not passed on: another attempt's are.
    quiet: bool,
    partial: Vec<u8>,
    /// A head has come, be it of a 1xx answer.
    pub(super) answered: bool,
}

/// What the head of an answer is read against.
pub(super) struct Asked<'a> {
    /// The request.
    pub(super) request: &'a RequestHead,
    /// Its bytes on their way.
    pub(super) sending: &'a Transfer,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(exchange: &Ongoing<'a>, upgrade: bool) -> Self {
        Self { worker: exchange.worker, upgrade, quiet: false, partial: Vec::new(), answered: false }
    }

    /// Of an attempt beside another one.
    pub(super) fn beside(exchange: &Ongoing<'a>) -> Self {
        Self { quiet: true, ..Self::new(exchange, false) }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        asked: &Asked<'_>,
        downstream: &mut Downstream,
        upstream: &mut Upstream,
    ) -> Poll<Result<Answer, Error>> {
        let buffers = &self.worker.buffers;
        loop {
            ready!(downstream.poll_ahead(cx))?;
            let mut buffer = buffers.take();
            let read = upstream.stream.poll_read(cx, buffer.spare());
            match read {
                Poll::Ready(Ok(bytes)) if bytes > 0 => buffer.filled(bytes),
                Poll::Pending => {
                    buffers.give(buffer);
                    return Poll::Pending;
                }
                Poll::Ready(ended) => {
                    buffers.give(buffer);
                    return Poll::Ready(Err(self.ended(ended.err().as_ref())));
                }
            }
            if !self.partial.is_empty() {
                self.partial.extend_from_slice(buffer.unread());
                buffers.give(buffer);
                buffer = Buffer::from_vec(std::mem::take(&mut self.partial));
            }
            if let Some(answer) = self.parse(buffer, asked, downstream)? {
                return Poll::Ready(Ok(answer));
            }
        }
    }

    /// Takes heads from the buffer until the final one. `None`: more bytes are needed.
    fn parse(
        &mut self,
        mut buffer: Buffer,
        asked: &Asked<'_>,
        downstream: &mut Downstream,
    ) -> Result<Option<Answer>, Error> {
        let mut head = self.worker.heads.take_response();
        while !buffer.is_empty() {
            let parsed = parse_response(buffer.unread(), ANSWER_LIMITS, &mut head)
                .map_err(|refusal| malformed(refusal.reason))?;
            let Parsed::Complete(bytes) = parsed else { break };
            buffer.consume(bytes);
            self.answered = true;
            let switched = head.status == 101;
            if switched && !self.upgrade {
                return Err(malformed("the endpoint switched protocols unasked"));
            }
            if switched && !asked.sending.is_done() {
                // RFC 9110 section 7.8: the new protocol begins behind the whole request.
                return Err(malformed("the endpoint switched protocols amid the request"));
            }
            let framing = response_framing(&head, asked.request.method).map_err(|refusal| malformed(refusal.reason))?;
            if (100..200).contains(&head.status) && !switched {
                if asked.request.version == Version::Http11 && !self.quiet {
                    encode_informational(&head, &mut downstream.ahead);
                }
                continue;
            }
            let framing = if switched { Framing::UntilClose } else { framing };
            let rest = self.worker.buffers.keep_unread(buffer);
            return Ok(Some(Answer { head, framing, rest, switched }));
        }
        self.partial.extend_from_slice(buffer.unread());
        self.worker.buffers.give(buffer);
        self.worker.heads.give_response(head);
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

/// The error of a connection that the endpoint ended before its answer.
pub(super) fn lost(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionReset => Error::io(Kind::UpstreamReset, "the endpoint reset the connection", error),
        _ => Error::io(Kind::UpstreamClosed, "the endpoint closed the connection", error),
    }
}

fn malformed(reason: &'static str) -> Error {
    Error::new(Kind::UpstreamMalformed, reason)
}
