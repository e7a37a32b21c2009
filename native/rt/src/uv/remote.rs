//! Wakes from other threads: a queue and the one libuv call that any thread may make.

use std::sync::atomic::{AtomicBool, Ordering};

use async_task::Runnable;
use parking_lot::Mutex;

use super::ffi::{self, Raw};

pub(crate) struct Remote {
    queue: Mutex<Queue>,
    /// Set under the lock; read without it once per pass.
    waiting: AtomicBool,
}

struct Queue {
    runnables: Vec<Runnable>,
    /// The `uv_async_t`; null once the runtime closes.
    handle: Raw,
}

// SAFETY: the handle is used for uv_async_send only, which any thread may call while it is open, and is set to null
// under the lock before it is closed. Runnables pass through without being run or dropped by other threads: `push`
// hands them over or forgets them.
unsafe impl Send for Remote {}
// SAFETY: as above; all fields are behind the lock or atomic.
unsafe impl Sync for Remote {}

impl Remote {
    pub(crate) fn new(handle: Raw) -> Remote {
        Remote { queue: Mutex::new(Queue { runnables: Vec::new(), handle }), waiting: AtomicBool::new(false) }
    }

    /// Hands a woken task to its own thread.
    pub(crate) fn push(&self, runnable: Runnable) {
        let mut queue = self.queue.lock();
        if queue.handle.is_null() {
            // Its runtime has gone and has dropped all futures. Were there one left, it must not be dropped here, on
            // a thread that is not its own: rather leak it.
            drop(queue);
            std::mem::forget(runnable);
            return;
        }
        queue.runnables.push(runnable);
        if !self.waiting.swap(true, Ordering::Release) {
            // SAFETY: open, for `close` has not taken it and the lock is held.
            unsafe { ffi::uv_async_send(queue.handle) };
        }
    }

    /// Moves what has come to `ready`.
    #[inline]
    pub(crate) fn drain_into(&self, ready: &mut impl Extend<Runnable>) {
        if self.waiting.load(Ordering::Acquire) {
            let mut queue = self.queue.lock();
            self.waiting.store(false, Ordering::Relaxed);
            ready.extend(queue.runnables.drain(..));
        }
    }

    /// From now on nothing is taken.
    pub(crate) fn close(&self) {
        self.queue.lock().handle = std::ptr::null_mut();
    }
}
