//! The wake-up of a `Timer` on libuv: an entry of the thread's wheel, left where it is while the deadline moves back.

use std::task::{Context, Poll, RawWakerVTable};
use std::time::Instant;

use super::local::with_local;
use super::timers::TICK;
use super::wheel::Key;

#[derive(Default)]
pub(crate) struct Alarm {
    set: Option<Set>,
}

/// What the wheel's entry holds, so that an unchanged one needs no look at it.
struct Set {
    key: Key,
    /// The runtime whose wheel it is.
    runtime: u64,
    /// Until then the entry is in the wheel.
    at: Instant,
    waker: (*const (), &'static RawWakerVTable),
}

impl Alarm {
    pub(crate) fn new() -> Alarm {
        Alarm::default()
    }

    /// Sees to it that the task is woken at `deadline`, which lies after `now`, or before.
    #[inline]
    pub(crate) fn poll_until(&mut self, deadline: Instant, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let (data, vtable) = (cx.waker().data(), cx.waker().vtable());
        let unchanged = self.set.as_ref().is_some_and(|set| {
            // The entry keeps its waker alive, so an equal address is the same task. It rings at the end of a tick.
            let in_time = set.at > now && set.at.saturating_duration_since(deadline) < TICK;
            in_time && set.waker.0 == data && std::ptr::eq(set.waker.1, vtable)
        });
        if !unchanged {
            self.arm(deadline, cx);
        }
        Poll::Pending
    }

    #[cold]
    fn arm(&mut self, deadline: Instant, cx: &mut Context<'_>) {
        let waker = cx.waker();
        // Without a runtime, which has been closed then, nothing wakes the task.
        with_local(|local| {
            let (key, at) = match self.set.take() {
                Some(set) if set.runtime == local.id() => (set.key, local.timers().reset(set.key, deadline, waker)),
                _ => local.timers().insert(deadline, waker),
            };
            self.set = Some(Set { key, runtime: local.id(), at, waker: (waker.data(), waker.vtable()) });
        });
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(set) = self.set.take() {
            with_local(|local| {
                if set.runtime == local.id() {
                    local.timers().remove(set.key);
                }
            });
        }
    }
}
