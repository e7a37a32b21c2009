//! One deadline that moves often and is seldom reached: re-arming it later costs a store.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::clock;

/// A deadline of one task. Resolution 1 ms, never early.
#[derive(Default)]
pub struct Timer {
    deadline: Option<Instant>,
    alarm: Option<Alarm>,
}

/// What wakes the task: set for the earliest deadline asked for, and left there when the deadline moves back.
enum Alarm {
    #[cfg(feature = "uv")]
    Uv(crate::uv::Alarm),
    #[cfg(feature = "tokio")]
    Tokio(crate::tokio_rt::Alarm),
}

impl Timer {
    /// A timer without a deadline.
    pub fn new() -> Timer {
        Timer::default()
    }

    /// Sets or clears the deadline. Takes effect when the timer is polled next.
    #[inline]
    pub fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.deadline.is_some()
    }

    /// Ready from the deadline on, until it is moved or cleared; pending for ever when there is none.
    #[inline]
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let now = clock::now();
        if deadline <= now {
            return Poll::Ready(());
        }
        match self.alarm.get_or_insert_with(new_alarm) {
            #[cfg(feature = "uv")]
            Alarm::Uv(alarm) => alarm.poll_until(deadline, now, cx),
            #[cfg(feature = "tokio")]
            Alarm::Tokio(alarm) => alarm.poll_until(deadline, cx),
        }
    }
}

#[cfg(all(feature = "uv", feature = "tokio"))]
fn new_alarm() -> Alarm {
    if crate::uv::installed() {
        Alarm::Uv(crate::uv::Alarm::new())
    } else {
        Alarm::Tokio(crate::tokio_rt::Alarm::new())
    }
}

#[cfg(all(feature = "uv", not(feature = "tokio")))]
fn new_alarm() -> Alarm {
    Alarm::Uv(crate::uv::Alarm::new())
}

#[cfg(not(feature = "uv"))]
fn new_alarm() -> Alarm {
    Alarm::Tokio(crate::tokio_rt::Alarm::new())
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("deadline", &self.deadline).finish()
    }
}

/// Ends after `duration`, to the millisecond, never early.
pub async fn sleep(duration: Duration) {
    let mut timer = Timer::new();
    timer.set(clock::now().checked_add(duration));
    poll_fn(|cx| timer.poll_expired(cx)).await;
}
