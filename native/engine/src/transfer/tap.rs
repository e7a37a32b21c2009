//! Filters in the way of a body: what was decoded passes them, one part after the other, before it is framed anew.
//!
//! A part stays where it was read until a filter replaces it. While a filter waits no further byte is read: the body
//! holds at most one part beyond what it holds without filters.

use std::ops::Range;
use std::task::{Context, Poll, ready};

use smallvec::SmallVec;

use super::Broken;
use super::buffer::Buffer;
use super::copy::Copying;
use super::pace::Pace;
use crate::error::Error;

/// What sees one body of one exchange, part by part.
pub trait BodyFilter {
    /// Looks at a part and may replace its bytes. Pending: the same part is shown again once the task is woken.
    fn poll(&mut self, cx: &mut Context<'_>, part: &mut BodyPart<'_>) -> Poll<Result<(), Error>>;

    /// The most bytes that it takes at once.
    fn longest_part(&self) -> usize {
        usize::MAX
    }

    /// Whether it only looks: the body is as long behind it as before.
    fn keeps_length(&self) -> bool {
        false
    }
}

/// A part of a body, of any length; only the last one may be empty.
pub struct BodyPart<'a> {
    data: &'a [u8],
    last: bool,
    replaced: Option<Vec<u8>>,
}

impl<'a> BodyPart<'a> {
    /// A part as a filter is shown it.
    pub fn new(data: &'a [u8], last: bool) -> Self {
        Self { data, last, replaced: None }
    }

    /// Its bytes, as the filter before left them.
    pub fn data(&self) -> &[u8] {
        self.replaced.as_deref().unwrap_or(self.data)
    }

    /// Nothing comes behind it.
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// Has other bytes take their place; none at all, too.
    pub fn replace(&mut self, data: Vec<u8>) {
        self.replaced = Some(data);
    }

    /// What took their place.
    pub fn into_replaced(self) -> Option<Vec<u8>> {
        self.replaced
    }
}

/// A part on its way through the filters.
pub(super) struct Part {
    content: Content,
    pub(super) last: bool,
}

enum Content {
    /// Bytes of the transfer's buffer.
    Read(Range<usize>),
    /// Bytes that were gathered from many chunks, or that a filter put there.
    Own(Vec<u8>),
}

impl Part {
    pub(super) fn read(range: Range<usize>, last: bool) -> Self {
        Self { content: Content::Read(range), last }
    }

    pub(super) fn own(data: Vec<u8>, last: bool) -> Self {
        Self { content: Content::Own(data), last }
    }

    /// The place of its bytes in the buffer, if they still are there.
    pub(super) fn place(&self) -> Option<Range<usize>> {
        match &self.content {
            Content::Read(range) => Some(range.clone()),
            Content::Own(_) => None,
        }
    }

    pub(super) fn bytes<'a>(&'a self, buffer: Option<&'a Buffer>) -> &'a [u8] {
        match &self.content {
            Content::Read(range) => buffer.map_or(&[], |buffer| buffer.range(range.start, range.end)),
            Content::Own(data) => data,
        }
    }
}

/// What is in the way of one body: its filters in the order in which it meets them, a bound on its pace, copies of it as it
/// comes.
#[derive(Default)]
pub(super) struct Tap {
    filters: SmallVec<[Box<dyn BodyFilter>; 2]>,
    /// Whose turn it is.
    at: usize,
    /// Bytes that have passed them all.
    pub(super) passed: u64,
    /// The part under way.
    pub(super) part: Option<Part>,
    pub(super) pace: Option<Pace>,
    pub(super) copies: Vec<Copying>,
}

impl Tap {
    /// Adds a filter behind the others.
    pub(super) fn push(&mut self, filter: Box<dyn BodyFilter>) {
        self.filters.push(filter);
    }

    /// Whether nothing is in the way.
    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.pace.is_none() && self.copies.is_empty()
    }

    /// Whether filters may change what the body is.
    pub(super) fn is_filtered(&self) -> bool {
        !self.filters.iter().all(|filter| filter.keeps_length())
    }

    /// The most bytes that all filters take at once.
    pub(super) fn longest_part(&self) -> usize {
        self.filters.iter().map(|filter| filter.longest_part()).min().unwrap_or(usize::MAX)
    }

    /// Has the part under way pass the filters. `None`: there is none.
    pub(super) fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
        buffer: Option<&Buffer>,
    ) -> Poll<Result<Option<Part>, Broken>> {
        let Some(part) = &mut self.part else { return Poll::Ready(Ok(None)) };
        while let Some(filter) = self.filters.get_mut(self.at) {
            let mut shown = BodyPart::new(part.bytes(buffer), part.last);
            // A filter that has swallowed a part leaves the ones behind it nothing to look at.
            if shown.last || !shown.data.is_empty() {
                ready!(filter.poll(cx, &mut shown)).map_err(Broken::Filter)?;
                if let Some(data) = shown.into_replaced() {
                    part.content = Content::Own(data);
                }
            }
            self.at += 1;
        }
        self.at = 0;
        Poll::Ready(Ok(self.part.take()))
    }
}
