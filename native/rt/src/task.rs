//! Tasks: futures that run on the thread that spawned them.

use std::fmt;

/// A spawned future. Dropping it cancels the future, which is then dropped by the executor no later than in its next
/// pass.
#[must_use = "dropping a task cancels it; detach() lets it run"]
pub struct Task(Inner);

enum Inner {
    #[cfg(feature = "uv")]
    Uv(async_task::Task<()>),
    #[cfg(feature = "tokio")]
    Tokio(crate::tokio_rt::Abort),
    /// Spawned while its runtime was closing: the future was dropped.
    #[cfg_attr(not(feature = "uv"), expect(dead_code, reason = "only libuv's runtime closes under its tasks"))]
    Ended,
}

/// Starts a future on this thread's runtime; it is first polled in the next pass.
pub fn spawn(future: impl Future<Output = ()> + 'static) -> Task {
    #[cfg(feature = "uv")]
    if crate::uv::installed() {
        return Task(crate::uv::spawn(future).map_or(Inner::Ended, Inner::Uv));
    }
    #[cfg(feature = "tokio")]
    return Task(Inner::Tokio(crate::tokio_rt::spawn(future)));
    #[cfg(not(feature = "tokio"))]
    {
        drop(future);
        Task(Inner::Ended)
    }
}

/// Whether this thread's runtime is dropping its tasks, because the thread ends.
pub fn is_ending() -> bool {
    #[cfg(feature = "uv")]
    return crate::uv::is_ending();
    #[cfg(not(feature = "uv"))]
    false
}

impl Task {
    /// Lets the future run to its end, or to the end of its runtime.
    pub fn detach(self) {
        match self.0 {
            #[cfg(feature = "uv")]
            Inner::Uv(task) => task.detach(),
            #[cfg(feature = "tokio")]
            Inner::Tokio(abort) => abort.disarm(),
            Inner::Ended => {}
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}
