//! Somebody who may wait for one side of a socket.

use std::cell::Cell;
use std::task::Waker;

/// Keeps its waker between waits: the same task waits again and again, and neither waiting nor waking then touches
/// the task's reference count.
#[derive(Default)]
pub(crate) struct Waiter {
    waker: Cell<Option<Waker>>,
    waiting: Cell<bool>,
}

impl Waiter {
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.get()
    }

    #[inline]
    pub(crate) fn wait(&self, waker: &Waker) {
        let known = self.waker.take();
        if known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker.set(known);
        } else {
            self.waker.set(Some(waker.clone()));
            drop(known);
        }
        self.waiting.set(true);
    }

    #[inline]
    pub(crate) fn wake(&self) {
        if self.waiting.replace(false) {
            // Taken out meanwhile, for a waker is foreign code and may come back here.
            let waker = self.waker.take();
            if let Some(waker) = &waker {
                waker.wake_by_ref();
            }
            self.waker.set(waker);
        }
    }

    pub(crate) fn forget(&self) {
        self.waiting.set(false);
        drop(self.waker.take());
    }
}
