//! The stage of a transfer whose body is seen by filters.

use std::task::{Context, Poll};

use super::buffer::Buffer;
use super::copy::{Copied, Copying, copy};
use super::pace::Pace;
use super::tap::{BodyFilter, Part, Tap};
use super::{Broken, COPIED_RUN, GATHERED, Transfer};

impl Transfer {
    /// Has a filter see what still comes of the body, behind those that see it already.
    pub fn push_filter(&mut self, filter: Box<dyn BodyFilter>) {
        self.tap.get_or_insert_default().push(filter);
    }

    /// From now on no more of the body is taken than so many bytes a second.
    pub fn slow_down(&mut self, bytes_per_second: u32) {
        self.tap.get_or_insert_default().pace = Some(Pace::new(bytes_per_second, weft_rt::now()));
    }

    /// A copy of the whole body as it comes from its source, before filters. For a body of which nothing was sent.
    pub fn copy(&mut self, max_bytes: usize) -> Copied {
        let (copying, copied) = copy(max_bytes);
        if let Some(kept) = &self.kept {
            copying.add(&kept.data);
        }
        if self.decoded {
            copying.end();
        } else {
            self.tap.get_or_insert_default().copies.push(copying);
        }
        copied
    }

    /// As `stage`, with each part passing the filters. Pending: one of them waits.
    pub(super) fn poll_tapped(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Broken> {
        let Some(mut tap) = self.tap.take() else { return Ok(Poll::Ready(())) };
        let staged = self.stage_through(cx, &mut tap);
        self.tap = Some(tap);
        staged
    }

    fn stage_through(&mut self, cx: &mut Context<'_>, tap: &mut Tap) -> Result<Poll<()>, Broken> {
        while !self.decoded && self.run.is_empty() && self.out.len() < GATHERED {
            match self.poll_part(cx, tap)? {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(None) => break,
                Poll::Ready(Some(part)) => {
                    tap.passed += part.bytes(self.buffer.as_ref()).len() as u64;
                    self.encode_part(&part)?;
                }
            }
        }
        Ok(Poll::Ready(()))
    }

    /// The next part that has passed all filters. `None`: more bytes are needed.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>, tap: &mut Tap) -> Result<Poll<Option<Part>>, Broken> {
        if tap.part.is_none() {
            let longest = tap.longest_part();
            // Without bytes at hand there is nothing to wait for but more of them.
            let at_hand = self.buffer.as_ref().is_some_and(|buffer| !buffer.is_empty());
            let most = match tap.pace.as_mut().filter(|_| at_hand).map(|pace| pace.poll(cx)) {
                None => longest,
                Some(Poll::Ready(most)) => most.min(longest),
                Some(Poll::Pending) => return Ok(Poll::Pending),
            };
            let before = self.body_bytes;
            tap.part = self.next_part(most, &tap.copies)?;
            if let Some(pace) = &mut tap.pace {
                pace.take(usize::try_from(self.body_bytes - before).unwrap_or(usize::MAX));
            }
        }
        match tap.poll_part(cx, self.buffer.as_ref()) {
            Poll::Ready(passed) => passed.map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Decodes what the filters see at once, of at most so many bytes. Short chunks are gathered, for each call has its
    /// price.
    fn next_part(&mut self, mut most: usize, copies: &[Copying]) -> Result<Option<Part>, Broken> {
        let mut gathered = Vec::new();
        loop {
            let Some(buffer) = self.buffer.as_mut().filter(|buffer| !buffer.is_empty() && most > 0) else {
                return Ok((!gathered.is_empty()).then(|| Part::own(gathered, false)));
            };
            let base = buffer.start();
            let unread = buffer.unread();
            let shown = unread.get(..most).unwrap_or(unread);
            let step = self.decoder.decode(shown).map_err(|malformed| Broken::Malformed(malformed.0))?;
            let data = base + step.data.start..base + step.data.end;
            buffer.consume(step.consumed);
            if !data.is_empty() {
                // Framing alone is no part: who sees the body would wait for bytes that are here.
                most -= step.consumed.min(most);
            }
            self.body_bytes += data.len() as u64;
            if self.body_bytes > self.max_body_bytes {
                return Err(Broken::TooLarge);
            }
            for copy in copies {
                copy.add(buffer.range(data.start, data.end));
                if step.done {
                    copy.end();
                }
            }
            let alone = gathered.is_empty() && (step.done || buffer.is_empty() || most == 0 || data.len() > COPIED_RUN);
            if alone && (step.done || !data.is_empty()) {
                return Ok(Some(Part::read(data, step.done)));
            }
            gathered.extend_from_slice(buffer.range(data.start, data.end));
            if step.done {
                return Ok(Some(Part::own(gathered, true)));
            }
        }
    }

    fn encode_part(&mut self, part: &Part) -> Result<(), Broken> {
        let data = part.bytes(self.buffer.as_ref());
        self.kept.take_if(|kept| !kept.takes(data));
        match part.place().filter(|range| range.len() > COPIED_RUN) {
            Some(range) => self.leave(range, part.last)?,
            None if !data.is_empty() => self.encoder.encode(data, &mut self.out),
            None => {}
        }
        if part.last { self.end_body() } else { Ok(()) }
    }

    /// The source has ended, and with it the body.
    pub(super) fn end_tapped(&mut self) {
        self.buffer = None;
        if let Some(tap) = &mut self.tap {
            tap.copies.iter().for_each(Copying::end);
            tap.part = Some(Part::own(Vec::new(), true));
        }
    }

    /// Body bytes that went on so far.
    pub fn passed_bytes(&self) -> u64 {
        self.tap.as_ref().map_or(self.body_bytes, |tap| tap.passed)
    }

    /// What the source sent beyond a body that was taken whole.
    pub fn take_surplus(&mut self) -> Option<Buffer> {
        self.buffer.take_if(|buffer| self.decoded && !buffer.is_empty())
    }
}
