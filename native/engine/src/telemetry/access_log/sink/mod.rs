//! Where lines go: a bounded queue for each worker, one thread for all files of the process.
//!
//! Flow: [`LogQueue::push`] on a worker → the writer's thread gathers for some milliseconds → one write per queue.
//! Invariants: the lock of a queue is held to append or to swap a buffer, never during I/O; a full queue drops the
//! whole line and says so; a failing or stalled file keeps its lines and holds up no other file; memory is at most
//! twice the queues' limits.

mod output;
mod writer;

pub use writer::{LogWriter, Sink};

use parking_lot::Mutex;
use std::sync::Arc;
use writer::Bell;

/// Bytes that wait for the disk before lines are dropped, for each worker and file.
pub const DEFAULT_QUEUE_BYTES: usize = 1024 * 1024;

/// A worker's way to a sink. Dropping it loses nothing: the writer empties it first.
#[derive(Debug)]
pub struct LogQueue {
    lines: Arc<Lines>,
    bell: Arc<Bell>,
}

impl LogQueue {
    /// Takes a line; `false` when the queue is full and the line was dropped, which the worker counts.
    pub fn push(&self, line: &[u8]) -> bool {
        let mut buffer = self.lines.buffer.lock();
        let (before, after) = (buffer.len(), buffer.len() + line.len());
        if after > self.lines.max_bytes {
            return false;
        }
        buffer.extend_from_slice(line);
        drop(buffer);
        let half = self.lines.max_bytes / 2;
        if before <= half && after > half {
            self.bell.ring_urgently();
        } else if before == 0 {
            self.bell.ring();
        }
        true
    }
}

impl Drop for LogQueue {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

/// The lines of one worker that wait for one file.
#[derive(Debug)]
struct Lines {
    buffer: Mutex<Vec<u8>>,
    max_bytes: usize,
}

#[cfg(test)]
mod tests;
