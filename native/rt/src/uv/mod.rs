//! The back-end inside Node: the thread's libuv loop is the reactor, and tasks run between its polls.
//!
//! ```text
//! loop: timers -> prepare (pass) -> poll (events set flags, wake tasks) -> check (pass) -> close callbacks
//! ```

mod alarm;
mod executor;
mod ffi;
mod foreign;
mod group;
mod guard;
mod handle;
mod local;
#[cfg(feature = "link-uv")]
mod own_loop;
mod remote;
mod source;
mod timers;
mod waiter;
mod wheel;

use std::ffi::c_void;
use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub(crate) use alarm::Alarm;
pub(crate) use executor::spawn;
pub use foreign::close_foreign_polls;
pub use group::{end_group, in_group};
pub(crate) use local::Local;
#[cfg(feature = "link-uv")]
pub use own_loop::{OwnLoop, run};
pub(crate) use source::Source;

/// Whether this thread's runtime is libuv's.
#[inline]
pub(crate) fn installed() -> bool {
    crate::current::with(|current| !current.uv.get().is_null())
}

/// Whether this thread's runtime is closing.
pub(crate) fn is_ending() -> bool {
    local::with_local(|local| !local.is_open()).unwrap_or(false)
}

/// This thread's runtime on a libuv loop. Closes when dropped; must be closed, and the loop must go round once more,
/// before the loop itself is.
///
/// Sockets that somebody waits for and tasks that are ready keep the loop alive; timers and sleeping tasks do not.
pub struct Runtime {
    local: Option<NonNull<Local>>,
}

impl Runtime {
    /// Makes libuv this thread's runtime.
    ///
    /// # Errors
    /// When the process contains no libuv, the thread has a runtime already, or libuv refuses.
    ///
    /// # Safety
    /// `uv_loop` is the live `uv_loop_t` of this thread and runs until the callback of [`Runtime::close`] was called.
    /// The code of this crate is never unloaded.
    pub unsafe fn install(uv_loop: *mut c_void) -> io::Result<Runtime> {
        if !ffi::available() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this process contains no libuv"));
        }
        if installed() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "this thread has a runtime already"));
        }
        // SAFETY: the caller's.
        unsafe { Local::install(uv_loop) }.map(|local| Runtime { local: Some(local) })
    }

    /// Drops all tasks, closes all sockets, then the runtime's own handles; the last close callback calls `closed`.
    /// Called from a task, it begins when the pass is over.
    pub fn close(mut self, closed: impl FnOnce() + 'static) {
        if let Some(local) = self.local.take() {
            Local::close(local, Box::new(closed));
        }
    }

    /// Has each pass counted in `counter`, and at least one tick per 250 ms: a counter that stands still is a loop
    /// that does. The first call wins.
    pub fn set_heartbeat(&self, counter: Arc<AtomicU64>) {
        if let Some(local) = self.local {
            // SAFETY: alive while this Runtime has not been closed.
            unsafe { local.as_ref() }.set_heartbeat(counter);
        }
    }

    /// Asks `gate` before each pass and lets none run, nor the heart beat, while it says no. For a loop that goes round
    /// a last time after its owner has decided to end it: what comes in then is better left in the accept queue, where
    /// the next owner of the listening socket finds it. The first call wins.
    pub fn set_gate(&self, gate: impl Fn() -> bool + 'static) {
        if let Some(local) = self.local {
            // SAFETY: alive while this Runtime has not been closed.
            unsafe { local.as_ref() }.set_gate(Box::new(gate));
        }
    }

    /// Calls `hook` after each pass, when no task is running: what tasks have begun on the thread may be ended there.
    /// The first call wins.
    pub fn set_after_pass(&self, hook: impl Fn() + 'static) {
        if let Some(local) = self.local {
            // SAFETY: alive while this Runtime has not been closed.
            unsafe { local.as_ref() }.set_after_pass(Box::new(hook));
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(local) = self.local.take() {
            Local::close(local, Box::new(|| {}));
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("uv::Runtime")
    }
}
