//! How much load second attempts may add, exact over all workers.
//!
//! Each request pays in its share, each second attempt takes out a whole one: over any time they are at most that share
//! of the requests. What was saved up is bounded, so that a quiet hour does not pay for a storm: at most what a hundred
//! requests pay in.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Shares of a hundredth that make up one second attempt.
const WHOLE: u32 = 100;

/// What was paid in and not yet taken out, in hundredths.
#[derive(Debug, Default)]
pub(super) struct Extra(AtomicU32);

impl Extra {
    /// A request pays in `percent`.
    pub(super) fn pay(&self, percent: u32) {
        let most = percent * WHOLE;
        let _full = self.0.fetch_update(Relaxed, Relaxed, |saved| (saved < most).then(|| (saved + percent).min(most)));
    }

    /// Whether there is enough for a second attempt, which takes it.
    pub(super) fn take(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |saved| saved.checked_sub(WHOLE)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_threads_that_always_want_get_exactly_their_share() {
        let extra = Extra::default();
        let taken = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        extra.pay(15);
                        taken.fetch_add(extra.take().into(), Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 40_000 * 15 / 100);
    }

    proptest! {
        /// Over any stretch: the share of its requests, and what a hundred before it had saved.
        #[test]
        fn second_attempts_never_outgrow_their_share(
            percent in 1_u32..=100,
            wants in prop::collection::vec(any::<bool>(), 1..2_000),
            from in any::<prop::sample::Index>(),
        ) {
            let extra = Extra::default();
            let got: Vec<bool> = wants
                .iter()
                .map(|want| {
                    extra.pay(percent);
                    *want && extra.take()
                })
                .collect();
            let taken = |part: &[bool]| part.iter().filter(|taken| **taken).count() as u32;
            prop_assert!(taken(&got) * WHOLE <= got.len() as u32 * percent);
            let stretch = got.get(from.index(got.len())..).unwrap_or_default();
            prop_assert!(taken(stretch) * WHOLE <= (stretch.len() as u32 + WHOLE) * percent);
        }
    }
}
