//! Where a worker keeps its last records: a ring of fixed heads and a ring of bytes for their texts.
//!
//! Invariants: nothing is allocated after creation, and pages are touched only as they are first used; one record's
//! texts are contiguous, so a stretch at the end of the byte ring may stay unused; text positions grow with `seq`,
//! so the records whose texts are intact are always the newest ones. One lock around the ring, taken once per
//! exchange, is the caller's.

use super::{MAX_HEADERS, Mark, Record, RecordOwned, Texts, Trail};

/// Longest text kept, in bytes; what is beyond it is cut.
const MAX_TEXT: usize = 1024;
/// Longest stretch of texts of one record, framing included. Headers that do not fit are left out.
const MAX_TEXTS: usize = 16 * 1024;
/// With [`MAX_TEXTS`] this bounds the bytes written during the life of a record below 2³², unused ends included,
/// which is what makes a 32-bit position unambiguous.
const MAX_RECORDS: usize = 128 * 1024;
const LENGTH: usize = 2;
/// What stands in place of a value that is never kept.
pub const REDACTED: &[u8] = b"[redacted]";

/// Size of a ring and what it must not keep.
#[derive(Clone, Copy, Debug)]
pub struct RingOptions<'a> {
    /// Records kept; between 1 and 131,072.
    pub records: usize,
    /// Bytes of text for each record on average. When texts are longer, the oldest records lose theirs sooner.
    pub bytes_per_record: usize,
    /// Names of the headers that records keep, at most [`MAX_HEADERS`]. [`Texts::headers`] counts by this list.
    pub headers: &'a [String],
    /// Names among `headers`, in any case, whose value is replaced by `[redacted]`.
    pub redact: &'a [String],
}

impl Default for RingOptions<'_> {
    /// 16,384 records of 136 bytes and 192 bytes of text each: 5 MiB per worker.
    fn default() -> Self {
        Self { records: 16_384, bytes_per_record: 192, headers: &[], redact: &[] }
    }
}

/// The records of one worker, newest kept.
#[derive(Debug)]
pub struct Ring {
    records: Vec<Record>,
    capacity: usize,
    /// Place of the next record, `pushed % capacity` without the division.
    next: usize,
    pushed: u64,
    bytes: Box<[u8]>,
    /// Place of the next text, `written % bytes.len()` without the division.
    offset: usize,
    /// Bytes ever written, unused ends included.
    written: u64,
    secrets: Secrets,
}

/// One bit for each header of the configured list: is its value never to be stored?
#[derive(Clone, Copy, Debug, Default)]
struct Secrets([u64; 4]);

impl Secrets {
    fn of(options: &RingOptions<'_>) -> Self {
        let mut secrets = Self::default();
        for (place, name) in options.headers.iter().enumerate().take(MAX_HEADERS) {
            let is_secret = options.redact.iter().any(|secret| secret.eq_ignore_ascii_case(name));
            if let (true, Some(word)) = (is_secret, secrets.0.get_mut(place / 64)) {
                *word |= 1 << (place % 64);
            }
        }
        secrets
    }

    /// What may be stored for the header.
    fn stored<'a>(&self, name: u8, value: &'a [u8]) -> &'a [u8] {
        let is_secret = self.0.get(usize::from(name / 64)).is_some_and(|word| word >> (name % 64) & 1 == 1);
        if is_secret { REDACTED } else { value }
    }
}

impl Ring {
    /// An empty ring with all its memory reserved.
    pub fn new(options: &RingOptions<'_>) -> Self {
        let capacity = options.records.clamp(1, MAX_RECORDS);
        let text_bytes = capacity.saturating_mul(options.bytes_per_record).clamp(MAX_TEXTS, u32::MAX as usize);
        Self {
            records: Vec::with_capacity(capacity),
            capacity,
            next: 0,
            pushed: 0,
            bytes: vec![0; text_bytes].into_boxed_slice(),
            offset: 0,
            written: 0,
            secrets: Secrets::of(options),
        }
    }

    /// Stores a record and its texts over the oldest ones and gives the record its number.
    pub fn push(&mut self, record: &mut Record, texts: &Texts<'_>) {
        let fixed = [texts.request_id, texts.method, texts.authority, texts.path];
        let mut length = 0;
        let mut cut = false;
        for text in fixed {
            cut |= text.len() > MAX_TEXT;
            length += LENGTH + text.len().min(MAX_TEXT);
        }
        length += texts.trail.len();
        let mut headers = 0;
        for &(name, value) in texts.headers {
            let value = self.secrets.stored(name, value);
            let needs = 1 + LENGTH + value.len().min(MAX_TEXT);
            if length + needs > MAX_TEXTS {
                cut = true;
                break;
            }
            cut |= value.len() > MAX_TEXT;
            length += needs;
            headers += 1;
        }
        self.reserve(length);
        self.pushed += 1;
        record.seq = self.pushed;
        record.text_position = self.written as u32;
        record.text_length = length as u16;
        if cut {
            record.marks.set(Mark::Cut);
        }
        self.write_texts(length, fixed, texts.headers.get(..headers).unwrap_or_default(), texts.trail);
        self.offset += length;
        self.written += length as u64;
        match self.records.get_mut(self.next) {
            Some(oldest) => *oldest = *record,
            None => self.records.push(*record),
        }
        self.next = if self.next + 1 == self.capacity { 0 } else { self.next + 1 };
    }

    /// At most `max` records from `from_seq` on, oldest first, without those whose texts are partly overwritten.
    ///
    /// Copies under the caller's lock: ask in portions of some hundred.
    pub fn read(&self, from_seq: u64, max: usize) -> Vec<RecordOwned> {
        let oldest = self.pushed - self.records.len() as u64 + 1;
        let (mut first, mut last) = (from_seq.max(oldest), self.pushed + 1);
        while first < last {
            let middle = first + (last - first) / 2;
            if self.record(middle).is_some_and(|record| self.is_intact(record)) {
                last = middle
            } else {
                first = middle + 1
            }
        }
        (first..=self.pushed)
            .take(max)
            .filter_map(|seq| self.record(seq).and_then(|record| self.with_texts(record)))
            .collect()
    }

    /// Looks at a portion of at most `portion` records, newest first, that are older than `before`, and takes those that
    /// `matches`, which is given the record and its request id. Returns where the next portion begins; `None` at the end.
    pub fn select(
        &self,
        before: u64,
        portion: u64,
        matches: &dyn Fn(&Record, &[u8]) -> bool,
        into: &mut Vec<RecordOwned>,
    ) -> Option<u64> {
        let last = self.pushed.min(before.saturating_sub(1));
        let first = last.saturating_sub(portion).saturating_add(1).max(1);
        for seq in (first..=last).rev() {
            // The newest records are the intact ones: behind the first that is not, none is.
            let record = self.record(seq).filter(|record| self.is_intact(record))?;
            if matches(record, self.request_id(record).unwrap_or_default()) {
                into.extend(self.with_texts(record));
            }
        }
        (first > 1 && last > 0).then_some(first)
    }

    fn request_id(&self, record: &Record) -> Option<&[u8]> {
        let mut texts = self.texts(record)?;
        take(&mut texts)
    }

    fn texts(&self, record: &Record) -> Option<&[u8]> {
        let begin = ((self.written - self.age(record)) % self.bytes.len() as u64) as usize;
        self.bytes.get(begin..begin + usize::from(record.text_length))
    }

    /// Number of the newest record; 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.pushed
    }

    /// Bytes reserved for records and texts.
    pub fn memory(&self) -> usize {
        self.capacity * size_of::<Record>() + self.bytes.len()
    }

    /// Skips the end of the byte ring when the texts would not fit there in one piece.
    fn reserve(&mut self, length: usize) {
        let left = self.bytes.len() - self.offset;
        if left < length {
            self.written += left as u64;
            self.offset = 0;
        }
    }

    fn write_texts(&mut self, length: usize, fixed: [&[u8]; 4], headers: &[(u8, &[u8])], trail: &[u8]) {
        let secrets = self.secrets;
        let Some(mut room) = self.bytes.get_mut(self.offset..self.offset + length) else { return };
        for text in fixed {
            room = put(room, text);
        }
        for &(name, value) in headers {
            let Some((first, rest)) = room.split_first_mut() else { return };
            *first = name;
            room = put(rest, secrets.stored(name, value));
        }
        if room.len() == trail.len() {
            room.copy_from_slice(trail);
        }
    }

    fn record(&self, seq: u64) -> Option<&Record> {
        let back = self.pushed.checked_sub(seq)? as usize + 1;
        let place = if back <= self.next { self.next - back } else { (self.next + self.capacity).checked_sub(back)? };
        self.records.get(place).filter(|record| record.seq == seq)
    }

    /// Bytes written since the record's texts began; they are intact while that is at most the ring's size.
    fn age(&self, record: &Record) -> u64 {
        u64::from((self.written as u32).wrapping_sub(record.text_position))
    }

    fn is_intact(&self, record: &Record) -> bool {
        self.age(record) <= self.bytes.len() as u64
    }

    fn with_texts(&self, record: &Record) -> Option<RecordOwned> {
        let mut texts = self.texts(record)?;
        let mut next = || take(&mut texts).map(<[u8]>::to_vec);
        let (request_id, method, authority, path) = (next()?, next()?, next()?, next()?);
        let (mut headers, mut trail) = (Vec::new(), Trail::default());
        while let Some((&tag, rest)) = texts.split_first() {
            texts = rest;
            let entry = take(&mut texts)?;
            if !trail.take(tag, entry) {
                headers.push((tag, entry.to_vec()));
            }
        }
        Some(RecordOwned { record: *record, request_id, method, authority, path, headers, trail })
    }
}

/// Writes a length and at most [`MAX_TEXT`] bytes of the text, and returns the room behind them.
#[inline]
fn put<'r>(room: &'r mut [u8], text: &[u8]) -> &'r mut [u8] {
    let text = text.get(..MAX_TEXT).unwrap_or(text);
    let Some((length, rest)) = room.split_first_chunk_mut::<LENGTH>() else { return &mut [] };
    let Some((place, rest)) = rest.split_at_mut_checked(text.len()) else { return &mut [] };
    *length = (text.len() as u16).to_le_bytes();
    place.copy_from_slice(text);
    rest
}

fn take<'t>(texts: &mut &'t [u8]) -> Option<&'t [u8]> {
    let (length, rest) = texts.split_first_chunk::<LENGTH>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    *texts = rest;
    Some(text)
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
