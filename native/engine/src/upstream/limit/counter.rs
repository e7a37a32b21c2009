//! A bound that refuses at once: a count of what is under way, exact over all workers.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

/// How many are under way.
#[derive(Debug, Default)]
pub struct Counter(AtomicU32);

/// One that is under way; given back on drop.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct Held<'a>(&'a Counter);

impl Counter {
    /// One more, unless there are as many as `bound` allows beside those that are; it is asked again when another worker
    /// was faster.
    pub fn take(&self, bound: impl Fn(u32) -> u32) -> Option<Held<'_>> {
        let within = |held: u32| (held < bound(held)).then(|| held + 1);
        self.0.fetch_update(AcqRel, Relaxed, within).ok().map(|_| Held(self))
    }

    /// How many are under way now.
    pub fn held(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        (self.0).0.fetch_sub(1, Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    #[test]
    fn ten_thousand_that_come_at_once_on_four_threads_get_exactly_a_hundred_places() {
        let counter = Counter::default();
        let (start, end) = (Barrier::new(4), Barrier::new(4));
        let admitted = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    let held: Vec<_> = (0..2_500).filter_map(|_| counter.take(|_| 100)).collect();
                    admitted.fetch_add(held.len(), Relaxed);
                    // Nobody gives back before everybody has asked.
                    end.wait();
                });
            }
        });
        assert_eq!((admitted.into_inner(), counter.held()), (100, 0));
    }

    #[test]
    fn there_are_never_more_than_the_bound_while_many_come_and_go() {
        let counter = Counter::default();
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(_held) = counter.take(|_| 3) {
                            assert!(inside.fetch_add(1, AcqRel) < 3);
                            inside.fetch_sub(1, AcqRel);
                        }
                    }
                });
            }
        });
        assert_eq!(counter.held(), 0);
    }
}
