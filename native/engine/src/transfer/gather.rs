//! A body that is held until it is whole, because a filter wants all of it at once.
//!
//! Its data is kept as that of a sink that comes later: [`Transfer::begin`] sends it once its head may go.

use std::task::{Context, Poll, ready};

use weft_rt::Stream;

use super::buffer::Buffers;
use super::tap::{BodyFilter, BodyPart, Tap};
use super::{Broken, Kept, Transfer};
use crate::error::Error;
use crate::http::body::BodyEncoder;
use crate::http::framing::Framing;

/// How far a body was gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// All of it is here.
    Whole,
    /// It is longer than it may be. What has come is kept.
    Beyond,
}

impl Transfer {
    /// Reads the body until it is whole, through the filters that see it, or longer than `max_bytes`.
    pub fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &Buffers,
        source: &mut Stream,
        max_bytes: usize,
    ) -> Poll<Result<Gathered, Broken>> {
        loop {
            let mut tap = self.tap.take().unwrap_or_default();
            let gathered = self.gather_through(cx, &mut tap, max_bytes);
            self.tap = Some(tap);
            match ready!(gathered?) {
                Some(gathered) => {
                    // A body of which only all was wanted goes on as if no filter saw it.
                    self.tap.take_if(|tap| self.decoded || tap.is_empty());
                    return Poll::Ready(Ok(gathered));
                }
                None => ready!(self.poll_fill(cx, buffers, source))?,
            }
        }
    }

    /// Keeps what has passed the filters. `None`: more bytes are needed.
    fn gather_through(
        &mut self,
        cx: &mut Context<'_>,
        tap: &mut Tap,
        max_bytes: usize,
    ) -> Result<Poll<Option<Gathered>>, Broken> {
        loop {
            if self.kept_bytes() > max_bytes {
                return Ok(Poll::Ready(Some(Gathered::Beyond)));
            }
            if self.decoded {
                return Ok(Poll::Ready(Some(Gathered::Whole)));
            }
            match self.poll_part(cx, tap)? {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(None) => return Ok(Poll::Ready(None)),
                Poll::Ready(Some(part)) => {
                    let data = part.bytes(self.buffer.as_ref());
                    let kept = self.kept.get_or_insert_with(|| Box::new(Kept::unbounded()));
                    kept.data.extend_from_slice(data);
                    self.decoded = part.last;
                }
            }
        }
    }

    /// Has a filter see what was gathered, and, where that is not the whole body, what still comes.
    pub fn poll_add(
        &mut self,
        cx: &mut Context<'_>,
        filter: &mut Option<Box<dyn BodyFilter>>,
    ) -> Poll<Result<(), Error>> {
        let last = self.decoded;
        if let Some(kept) = self.kept.as_mut().filter(|kept| last || !kept.data.is_empty())
            && let Some(filter) = filter
        {
            let mut part = BodyPart::new(&kept.data, last);
            ready!(filter.poll(cx, &mut part))?;
            if let Some(data) = part.into_replaced() {
                kept.data = data;
            }
        }
        if !last && let Some(filter) = filter.take() {
            self.push_filter(filter);
        }
        Poll::Ready(Ok(()))
    }

    /// The body, once it is whole; a filter may change it.
    pub fn gathered(&mut self) -> &mut Vec<u8> {
        &mut self.kept.get_or_insert_with(|| Box::new(Kept::unbounded())).data
    }

    /// Whether the body was gathered to its end.
    pub fn is_whole(&self) -> bool {
        self.decoded && self.kept.is_some()
    }

    /// Bytes that are kept.
    fn kept_bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.data.len())
    }

    /// Whether filters see this body that may change it, so that its length is not known before its end.
    pub fn is_tapped(&self) -> bool {
        self.tap.as_ref().is_some_and(|tap| tap.is_filtered())
    }

    /// How the body is framed on its way out: by its length where it is whole and has no trailers, else as `otherwise`.
    pub fn reframe(&mut self, otherwise: Framing) -> Framing {
        let known = self.is_whole() && self.decoder.trailers().is_empty();
        let framing = if known { Framing::Length(self.kept_bytes() as u64) } else { otherwise };
        self.framing = framing;
        self.encoder = BodyEncoder::new(framing);
        framing
    }

    /// Bytes that the body was announced with, if it was.
    pub fn announced(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        }
    }
}
