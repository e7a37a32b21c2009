//! One direction of an exchange: a head already encoded, then a body that is decoded, framed anew and passed on.
//!
//! Backpressure: nothing is read while something is unsent or a filter waits, so a direction holds at most one buffer and
//! one head, with filters one part more. Cancel safety: all state is in the struct; a poll can be repeated by any task.
//! May use [`http`](crate::http) and [`error`](crate::error).

mod broken;
pub mod buffer;
mod copy;
mod gather;
mod pace;
mod tap;
mod tapped;

use std::io::IoSlice;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use weft_rt::Stream;

use crate::http::body::{BodyDecoder, BodyEncoder};
use crate::http::framing::Framing;

pub use broken::Broken;
use buffer::{Buffer, Buffers};
pub use copy::{Copied, NoCopy};
pub use gather::Gathered;
use tap::Tap;
pub use tap::{BodyFilter, BodyPart};

/// A run of body bytes up to this length is copied behind the bytes already waiting: cheaper than a second I/O vector.
const COPIED_RUN: usize = 8 * 1024;

/// Encoded bytes that may gather before they must be written.
const GATHERED: usize = 64 * 1024;

/// State of one direction.
pub struct Transfer {
    decoder: BodyDecoder,
    encoder: BodyEncoder,
    /// How the body is framed on its way out.
    framing: Framing,
    /// Encoded bytes; `written` of them are sent.
    out: Vec<u8>,
    written: usize,
    /// Source bytes, partly decoded.
    buffer: Option<Buffer>,
    /// Decoded bytes of `buffer` that go out behind `out` without a copy.
    run: Range<usize>,
    /// The run is the last of the body.
    ends_with_run: bool,
    decoded: bool,
    /// Data taken so far, for another sink; only while it is wanted and short enough.
    kept: Option<Box<Kept>>,
    /// Filters that see the body; absent where none does.
    tap: Option<Box<Tap>>,
    /// Body bytes taken from the source so far.
    pub body_bytes: u64,
    max_body_bytes: u64,
    read: u64,
    sent: u64,
    /// What `sent` was when the present sink's turn came.
    sent_before: u64,
}

/// Body bytes that were sent and may have to be sent again.
struct Kept {
    data: Vec<u8>,
    max_bytes: usize,
}

impl Kept {
    fn unbounded() -> Self {
        Self { data: Vec::new(), max_bytes: usize::MAX }
    }

    /// False: it would be too much.
    fn takes(&mut self, data: &[u8]) -> bool {
        let fits = self.data.len() + data.len() <= self.max_bytes;
        if fits {
            self.data.extend_from_slice(data);
        }
        fits
    }
}

impl Transfer {
    /// A direction that first sends `out`, then the body that starts in `buffer`.
    pub fn new(from: Framing, to: Framing, max_trailer_bytes: usize, out: Vec<u8>, buffer: Option<Buffer>) -> Self {
        Self {
            decoder: BodyDecoder::new(from, max_trailer_bytes),
            encoder: BodyEncoder::new(to),
            framing: to,
            out,
            written: 0,
            buffer,
            run: 0..0,
            ends_with_run: false,
            decoded: matches!(from, Framing::None | Framing::Length(0)),
            kept: None,
            tap: None,
            body_bytes: 0,
            max_body_bytes: u64::MAX,
            read: 0,
            sent: 0,
            sent_before: 0,
        }
    }

    /// Keeps the data as it is taken, for a sink that comes after this one, unless it is more than so many bytes.
    pub fn keep(&mut self, max_bytes: usize) {
        self.kept = Some(Box::new(Kept { data: Vec::new(), max_bytes }));
    }

    /// No other sink comes after this one.
    pub fn keep_no_more(&mut self) {
        self.kept = None;
    }

    /// Whether everything that was taken of the body is at hand.
    pub fn is_at_hand(&self) -> bool {
        self.body_bytes == 0 || self.kept.is_some()
    }

    /// Begins with a sink: a head, then what was taken of the body, if it is at hand, then the rest.
    pub fn begin(&mut self, write_head: impl FnOnce(&mut Vec<u8>)) {
        self.out.clear();
        self.written = 0;
        self.sent_before = self.sent;
        write_head(&mut self.out);
        if let Some(kept) = self.kept.as_ref().filter(|kept| !kept.data.is_empty()) {
            self.encoder = BodyEncoder::new(self.framing);
            self.encoder.encode(&kept.data, &mut self.out);
            // What waited to go out without a copy is among it.
            self.decoded |= std::mem::take(&mut self.ends_with_run);
            self.run = 0..0;
        }
        if self.decoded {
            // Nothing is missing: the decoder has seen the end, and the data is whole.
            let _ = self.encoder.finish(self.decoder.trailers(), &mut self.out);
        }
    }

    /// The same for a sink beside the present one, of a body that is whole and at hand; without its trailers.
    pub fn again(&self, out: Vec<u8>, write_head: impl FnOnce(&mut Vec<u8>)) -> Self {
        let data = self.kept.as_ref().map(|kept| kept.data.clone()).unwrap_or_default();
        let mut again = Self::new(Framing::None, self.framing, 0, out, None);
        again.kept = Some(Box::new(Kept { data, max_bytes: usize::MAX }));
        again.begin(write_head);
        again
    }

    /// Whether all of it was sent and could be sent again: nothing of it is missing, nor are there trailers.
    pub fn could_go_again(&self) -> bool {
        self.is_done() && self.is_at_hand() && self.decoder.trailers().is_empty()
    }

    /// Ends as too large when the body exceeds this; what lies beyond is not sent on.
    pub fn bounded(self, max_body_bytes: u64) -> Self {
        Self { max_body_bytes, ..self }
    }

    /// How the body goes out.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether there is nothing but a head.
    pub fn is_bodiless(&self) -> bool {
        matches!(self.framing, Framing::None | Framing::Length(0))
    }

    /// Nothing but a head goes out.
    pub fn drop_body(&mut self) {
        *self = Self::new(Framing::None, Framing::None, 0, std::mem::take(&mut self.out), None);
    }

    /// Whether all is sent.
    pub fn is_done(&self) -> bool {
        self.decoded && !self.has_unsent()
    }

    /// Whether the whole body was taken from the source.
    pub fn is_decoded(&self) -> bool {
        self.decoded
    }

    /// Whether any byte was sent to the present sink.
    pub fn has_sent(&self) -> bool {
        self.sent > self.sent_before
    }

    /// Grows with each byte moved either way: what idle time is measured against.
    pub fn progress(&self) -> u64 {
        self.read + self.sent
    }

    /// What the source sent beyond this body; the output vector goes back to the pool.
    pub fn finish(&mut self, buffers: &Buffers) -> Option<Buffer> {
        buffers.give_output(std::mem::take(&mut self.out));
        self.buffer.take().and_then(|buffer| buffers.keep_unread(buffer))
    }

    /// Moves what can be moved. Ready when all is sent.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        source: &mut Stream,
        sink: &mut Stream,
    ) -> Poll<Result<(), Broken>> {
        loop {
            let staged = self.poll_stage(cx)?;
            ready!(self.poll_flush(cx, sink))?;
            if self.decoded {
                return Poll::Ready(Ok(()));
            }
            ready!(staged);
            if self.buffer.as_ref().is_none_or(Buffer::is_empty) {
                ready!(self.poll_fill(cx, buffers, source))?;
            }
        }
    }

    /// Whether something waits for the sink to take it.
    pub fn has_unsent(&self) -> bool {
        self.written < self.out.len() || !self.run.is_empty()
    }

    #[inline]
    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Broken> {
        if self.tap.is_some() { self.poll_tapped(cx) } else { self.stage().map(Poll::Ready) }
    }

    /// Decodes until there is enough for one write. A long run stays where it is and ends the stage.
    fn stage(&mut self) -> Result<(), Broken> {
        while !self.decoded && self.run.is_empty() && self.out.len() < GATHERED {
            let Some(buffer) = self.buffer.as_mut().filter(|buffer| !buffer.is_empty()) else { break };
            let base = buffer.start();
            let step = self.decoder.decode(buffer.unread()).map_err(|malformed| Broken::Malformed(malformed.0))?;
            let data = base + step.data.start..base + step.data.end;
            buffer.consume(step.consumed);
            self.body_bytes += data.len() as u64;
            self.kept.take_if(|kept| !kept.takes(buffer.range(data.start, data.end)));
            if self.body_bytes > self.max_body_bytes {
                return Err(Broken::TooLarge);
            }
            if data.len() <= COPIED_RUN {
                if !data.is_empty() {
                    self.encoder.encode(buffer.range(data.start, data.end), &mut self.out);
                }
            } else {
                self.leave(data, step.done)?;
            }
            if step.done {
                self.end_body()?;
            }
        }
        Ok(())
    }

    /// Data that is to go out from where it stands. A chunk's own end line goes out in front of what follows it, so that
    /// the run needs no third vector.
    fn leave(&mut self, data: Range<usize>, last: bool) -> Result<(), Broken> {
        let prefix = self.encoder.prefix(data.len()).map_err(|malformed| Broken::Malformed(malformed.0))?;
        self.out.extend_from_slice(&prefix);
        self.run = data;
        self.ends_with_run = last;
        Ok(())
    }

    fn end_body(&mut self) -> Result<(), Broken> {
        if self.run.is_empty() {
            self.decoded = true;
            let ended = self.encoder.finish(self.decoder.trailers(), &mut self.out);
            ended.map_err(|malformed| Broken::Malformed(malformed.0))?;
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> Poll<Result<(), Broken>> {
        while self.has_unsent() {
            let head = self.out.get(self.written..).unwrap_or_default();
            let run = self.buffer.as_ref().map_or(&[][..], |buffer| buffer.range(self.run.start, self.run.end));
            let sent = match (head.is_empty(), run.is_empty()) {
                (_, true) => ready!(sink.poll_write(cx, head)),
                (true, false) => ready!(sink.poll_write(cx, run)),
                (false, false) => ready!(sink.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(run)])),
            }
            .map_err(Broken::Sink)?;
            self.sent += sent as u64;
            let of_head = sent.min(head.len());
            self.written += of_head;
            self.run.start += sent - of_head;
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
            }
            if self.run.is_empty() && self.run.end > 0 {
                self.run = 0..0;
                self.out.extend_from_slice(self.encoder.suffix());
                if self.ends_with_run {
                    self.end_body()?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, buffers: &Buffers, source: &mut Stream) -> Poll<Result<(), Broken>> {
        let mut buffer = buffers.renew(self.buffer.take());
        let read = source.poll_read(cx, buffer.spare());
        match read {
            Poll::Ready(Ok(bytes)) if bytes > 0 => {
                buffer.filled(bytes);
                self.read += bytes as u64;
                self.buffer = Some(buffer);
                Poll::Ready(Ok(()))
            }
            other => {
                buffers.give(buffer);
                ready!(other).map_err(Broken::Source)?;
                self.decoder.end_of_input().map_err(|_| Broken::Truncated)?;
                if self.tap.is_some() {
                    self.end_tapped();
                    return Poll::Ready(Ok(()));
                }
                self.decoded = true;
                let ended = self.encoder.finish(&[], &mut self.out);
                Poll::Ready(ended.map_err(|malformed| Broken::Malformed(malformed.0)))
            }
        }
    }
}
