//! What this thread's runtime keeps between calls: its kind, its clock, its counters and the running task's allowance.
//!
//! One thread-local of plain cells: const-initialised and without a destructor, so that reading it costs an address
//! and that it may still be read while a thread ends.

use std::cell::Cell;
use std::time::Instant;

/// A task that has read this much since it was polled has to let others run.
const MAX_BYTES_PER_POLL: usize = 64 * 1024;
const MAX_READS_PER_POLL: usize = 16;

pub(crate) struct Current {
    /// The time of this pass, taken when first asked for.
    #[cfg(feature = "uv")]
    pub(crate) now: Cell<Option<Instant>>,
    /// One moment on both clocks: monotonic, and microseconds since the epoch.
    pub(crate) wall: Cell<Option<(Instant, u64)>>,
    bytes_read: Cell<usize>,
    reads: Cell<usize>,
    passes: Cell<u64>,
    panics: Cell<u64>,
    accept_pauses: Cell<u64>,
    #[cfg(feature = "uv")]
    pub(crate) uv: Cell<*const crate::uv::Local>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            #[cfg(feature = "uv")]
            now: Cell::new(None),
            wall: Cell::new(None),
            bytes_read: Cell::new(0),
            reads: Cell::new(0),
            passes: Cell::new(0),
            panics: Cell::new(0),
            accept_pauses: Cell::new(0),
            #[cfg(feature = "uv")]
            uv: Cell::new(std::ptr::null()),
        }
    };
}

pub(crate) fn with<R>(f: impl FnOnce(&Current) -> R) -> R {
    CURRENT.with(f)
}

/// The number of the executor's current pass over ready tasks on this thread (on tokio: of task polls).
pub fn pass() -> u64 {
    with(|current| current.passes.get())
}

/// How many tasks and runtime callbacks have panicked on this thread.
pub fn panics() -> u64 {
    with(|current| current.panics.get())
}

pub(crate) fn accept_pauses() -> u64 {
    with(|current| current.accept_pauses.get())
}

pub(crate) fn count_pass() {
    with(|current| current.passes.set(current.passes.get() + 1));
}

pub(crate) fn count_panic() {
    with(|current| current.panics.set(current.panics.get() + 1));
}

pub(crate) fn count_accept_pause() {
    with(|current| current.accept_pauses.set(current.accept_pauses.get() + 1));
}

/// To be called before each task poll.
pub(crate) fn refill_allowance() {
    with(|current| {
        current.bytes_read.set(0);
        current.reads.set(0);
    });
}

pub(crate) fn charge_read(bytes: usize) {
    with(|current| {
        current.bytes_read.set(current.bytes_read.get() + bytes);
        current.reads.set(current.reads.get() + 1);
    });
}

/// Whether the running task has read its share and has to wait for the next pass.
pub(crate) fn allowance_spent() -> bool {
    with(|current| current.bytes_read.get() >= MAX_BYTES_PER_POLL || current.reads.get() >= MAX_READS_PER_POLL)
}
