//! Read buffers: owned by whoever holds unsent bytes, back in the worker's pool the moment they are empty.
//!
//! A connection without bytes in hand holds none. One exchange holds at most one per direction.

use std::cell::RefCell;

/// Bytes of one buffer: what one read can bring.
pub const BUFFER_BYTES: usize = 64 * 1024;

/// Buffers kept for reuse per worker (1 MiB); more are freed.
const KEPT: usize = 16;

/// A fixed piece of memory and the range of it that is filled but not yet used.
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES], start: 0, end: 0 }
    }

    /// Takes over bytes that were gathered elsewhere.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        Self { bytes, start: 0, end }
    }

    /// What is filled and not used.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Position of the first unread byte, for [`Buffer::range`].
    pub fn start(&self) -> usize {
        self.start
    }

    /// A range counted from the beginning of the memory, still valid after [`Buffer::consume`].
    pub fn range(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// Whether all is used.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Marks the first bytes as used.
    pub fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// The whole memory, to be filled from its beginning; what was unread is lost.
    pub fn spare(&mut self) -> &mut [u8] {
        self.start = 0;
        self.end = 0;
        &mut self.bytes
    }

    /// States how much of [`Buffer::spare`] was filled.
    pub fn filled(&mut self, bytes: usize) {
        self.start = 0;
        self.end = bytes.min(self.bytes.len());
    }
}

/// The worker's free buffers, and free vectors for heads on their way out.
#[derive(Default)]
pub struct Buffers {
    free: RefCell<Vec<Buffer>>,
    outputs: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer.
    pub fn take(&self) -> Buffer {
        self.free.borrow_mut().pop().unwrap_or_else(Buffer::new)
    }

    /// Gives a buffer back, whatever it holds.
    pub fn give(&self, mut buffer: Buffer) {
        let mut free = self.free.borrow_mut();
        if buffer.bytes.len() == BUFFER_BYTES && free.len() < KEPT {
            buffer.filled(0);
            free.push(buffer);
        }
    }

    /// A buffer to read into in place of an empty one: the same, unless it only carried bytes gathered elsewhere, whose
    /// few bytes of room would make each further read as small.
    pub fn renew(&self, held: Option<Buffer>) -> Buffer {
        held.filter(|buffer| buffer.bytes.len() == BUFFER_BYTES).unwrap_or_else(|| self.take())
    }

    /// Keeps the buffer when there is something unread in it.
    pub fn keep_unread(&self, buffer: Buffer) -> Option<Buffer> {
        if buffer.is_empty() {
            self.give(buffer);
            return None;
        }
        Some(buffer)
    }

    /// An empty vector, most likely with capacity.
    pub fn take_output(&self) -> Vec<u8> {
        self.outputs.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives a vector back.
    pub fn give_output(&self, mut output: Vec<u8>) {
        let mut outputs = self.outputs.borrow_mut();
        if output.capacity() > 0 && output.capacity() <= BUFFER_BYTES && outputs.len() < KEPT {
            output.clear();
            outputs.push(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_carried_gathered_bytes_is_not_read_into() {
        let buffers = Buffers::default();
        assert_eq!(buffers.renew(Some(Buffer::from_vec(vec![0; 3]))).spare().len(), BUFFER_BYTES);
        assert_eq!(buffers.renew(None).spare().len(), BUFFER_BYTES);
        let mut whole = buffers.take();
        let memory = whole.spare().as_ptr();
        assert_eq!(buffers.renew(Some(whole)).spare().as_ptr(), memory);
    }
}
