//! The back-end for threads that do not belong to Node: tests, benches, the agent and the cold thread.

mod alarm;
mod source;

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{JoinHandle, LocalSet};

use crate::current;

pub(crate) use alarm::Alarm;
pub(crate) use source::Source;

/// Runs `future` and everything it spawns on this thread; tasks still running when it ends are dropped.
///
/// # Panics
/// When the operating system refuses an epoll descriptor, when called inside another tokio runtime, and when
/// `future` panics.
#[expect(clippy::expect_used, reason = "a process that cannot open an epoll descriptor at its start cannot go on")]
pub fn run<F: Future>(future: F) -> F::Output {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().expect("an epoll descriptor");
    let _elsewhere = SetAside::new();
    let tasks = LocalSet::new();
    runtime.block_on(tasks.run_until(Metered { future }))
}

/// Hides a libuv runtime of the same thread while tokio's runs.
struct SetAside {
    #[cfg(feature = "uv")]
    uv: *const crate::uv::Local,
}

impl SetAside {
    fn new() -> SetAside {
        SetAside {
            #[cfg(feature = "uv")]
            uv: current::with(|current| current.uv.replace(std::ptr::null())),
        }
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        #[cfg(feature = "uv")]
        current::with(|current| current.uv.set(self.uv));
    }
}

/// Starts the task of [`crate::spawn`].
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Abort {
    let metered = Metered { future };
    Abort { task: Cell::new(Some(tokio::task::spawn_local(Caught { future: metered }))) }
}

/// Aborts its task when dropped.
pub(crate) struct Abort {
    task: Cell<Option<JoinHandle<()>>>,
}

impl Abort {
    pub(crate) fn disarm(self) {
        drop(self.task.take());
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Counts polls and gives each a new allowance.
struct Metered<F> {
    future: F,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        current::count_pass();
        current::refill_allowance();
        // SAFETY: `future` is pinned whenever `self` is: it is never moved out and Metered has no Drop of its own.
        unsafe { self.map_unchecked_mut(|metered| &mut metered.future) }.poll(cx)
    }
}

/// Turns a panic into the end of the task.
struct Caught<F> {
    future: F,
}

impl<F: Future<Output = ()>> Future for Caught<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: as in Metered: structurally pinned, never moved out.
        let future = unsafe { self.map_unchecked_mut(|caught| &mut caught.future) };
        catch_unwind(AssertUnwindSafe(|| future.poll(cx))).unwrap_or_else(|_| {
            current::count_panic();
            Poll::Ready(())
        })
    }
}
