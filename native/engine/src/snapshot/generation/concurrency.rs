//! How an endpoint answers by how much it has to do at once: what says later how much it can be given.
//!
//! Answers are sorted into classes by the exchanges under way at the endpoint, each class twice as wide as the one
//! before. Invariant: one answer of [`SAMPLED`] is counted, without a lock; what it costs the others is one load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// One, two, up to four, … up to 2^15 at once.
const CLASSES: usize = 16;
/// Of so many answers one is looked at.
const SAMPLED: u64 = 8;

/// Counts of answers by the exchanges under way.
#[derive(Default)]
pub struct Concurrency {
    classes: OnceLock<Box<[Class; CLASSES]>>,
}

#[derive(Default)]
struct Class {
    answers: AtomicU32,
    failures: AtomicU32,
    first_byte_us: AtomicU64,
}

/// What was seen with so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AtOnce {
    /// Up to so many exchanges, and more than half of it.
    pub most: u32,
    /// Answers that were looked at, failures among them.
    pub answers: u32,
    /// Failures and statuses of an overload: 429, 500 and above.
    pub failures: u32,
    /// Mean time to the first byte of those that did not fail, µs; 0 without any.
    pub mean_us: u64,
}

impl Concurrency {
    /// An attempt ended while so many were under way. `count` is any number that grows with each attempt; without
    /// `first_byte_us` it failed.
    #[inline]
    pub fn heard(&self, count: u64, active: u32, first_byte_us: Option<u32>) {
        if count.is_multiple_of(SAMPLED) {
            self.count(active, first_byte_us);
        }
    }

    #[cold]
    fn count(&self, active: u32, first_byte_us: Option<u32>) {
        let class = (active.max(1) - 1).checked_ilog2().map_or(0, |log| log as usize + 1).min(CLASSES - 1);
        let classes = self.classes.get_or_init(Box::default);
        let Some(class) = classes.get(class) else { return };
        class.answers.fetch_add(1, Relaxed);
        match first_byte_us {
            Some(us) => class.first_byte_us.fetch_add(us.into(), Relaxed),
            None => class.failures.fetch_add(1, Relaxed).into(),
        };
    }

    /// The classes in which something was seen, in ascending order.
    pub fn seen(&self) -> Vec<AtOnce> {
        let classes = self.classes.get().into_iter().flat_map(|classes| classes.iter().enumerate());
        let told = classes.map(|(class, counts)| {
            let (answers, failures) = (counts.answers.load(Relaxed), counts.failures.load(Relaxed));
            let good = u64::from(answers.saturating_sub(failures));
            let mean_us = counts.first_byte_us.load(Relaxed).checked_div(good).unwrap_or(0);
            AtOnce { most: 1 << class, answers, failures, mean_us }
        });
        told.filter(|class| class.answers > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_what_is_under_way() {
        let seen = Concurrency::default();
        assert!(seen.seen().is_empty());
        for (active, us) in [(0, 100), (1, 300), (2, 10), (3, 20), (4, 40), (5, 50), (1 << 20, 7)] {
            seen.heard(0, active, Some(us));
        }
        seen.heard(0, 4, None);
        let told = |most, answers, failures, mean_us| AtOnce { most, answers, failures, mean_us };
        let wanted =
            [told(1, 2, 0, 200), told(2, 1, 0, 10), told(4, 3, 1, 30), told(8, 1, 0, 50), told(1 << 15, 1, 0, 7)];
        assert_eq!(seen.seen(), wanted);
    }

    #[test]
    fn one_answer_of_eight_is_looked_at() {
        let seen = Concurrency::default();
        (0..80).for_each(|count| seen.heard(count, 1, Some(1)));
        assert_eq!(seen.seen().first().map(|class| class.answers), Some(10));
    }
}
