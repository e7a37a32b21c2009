//! How long to wait before a retry.

use std::time::Duration;

/// The wait before the `nth` retry, the first being 1: anything up to `base` × (2ⁿ − 1), at most `max`.
///
/// Full jitter, as Envoy has it: whoever failed together does not come back together. `random` is uniform in 0..1.
pub(super) fn backoff(nth: u32, base: Duration, max: Duration, random: f64) -> Duration {
    let factor = 2_u32.checked_pow(nth).map_or(u32::MAX, |power| power - 1);
    base.saturating_mul(factor).min(max).mul_f64(random.clamp(0.0, 1.0))
}

/// The wait for an endpoint that asked for one: never less, at most half as long again, so that not everybody comes back
/// at the moment that it told to all (Envoy's rate-limited back-off).
pub(super) fn asked(wait: Duration, random: f64) -> Duration {
    wait.saturating_add(wait.mul_f64(random.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_millis(25);
    const MAX: Duration = Duration::from_millis(250);

    #[test]
    fn the_longest_wait_doubles_until_it_reaches_its_bound() {
        let longest: Vec<_> = (1..=5).map(|nth| backoff(nth, BASE, MAX, 1.0).as_millis()).collect();
        assert_eq!(longest, [25, 75, 175, 250, 250]);
        assert_eq!(backoff(3, BASE, MAX, 0.0), Duration::ZERO);
        assert_eq!(backoff(u32::MAX, BASE, MAX, 1.0), MAX);
        assert_eq!(backoff(1, Duration::ZERO, MAX, 0.5), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn a_wait_that_was_asked_for_is_never_cut_and_grows_by_half_at_most(wait in 0_u64..1_000_000, random in 0.0..1.0) {
            let wanted = Duration::from_millis(wait);
            let given = asked(wanted, random);
            prop_assert!(given >= wanted && given <= wanted + wanted / 2);
        }

        #[test]
        fn no_wait_is_longer_than_its_bound(nth in 1_u32.., base in 0_u64..100_000, max in 0_u64..100_000, random in 0.0..1.0) {
            let wait = backoff(nth, Duration::from_millis(base), Duration::from_millis(max), random);
            prop_assert!(wait <= Duration::from_millis(max));
            prop_assert!(nth > 1 || wait <= Duration::from_millis(base));
        }
    }
}
