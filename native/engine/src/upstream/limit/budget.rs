//! How many retries a cluster may have under way: a share of what is asked of it, so that retries never become a storm.

/// The budget of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Retries per hundred exchanges that are no retries.
    pub percent: u32,
    /// Retries that are always allowed.
    pub min_concurrency: u32,
    /// Never more, whatever the share is.
    pub max_retries: Option<u32>,
}

impl Budget {
    /// The bound on retries under way, where `active` exchanges are, `retrying` of them in a retry already.
    ///
    /// The share is taken of the exchanges that are in their first attempt. Were it taken of all, the retries would
    /// allow more of themselves: 20 % of all are 25 % of the others.
    pub fn bound(&self, active: u32, retrying: u32) -> u32 {
        let first_attempts = u64::from(active.saturating_sub(retrying));
        let share = u32::try_from(first_attempts * u64::from(self.percent) / 100).unwrap_or(u32::MAX);
        share.max(self.min_concurrency).min(self.max_retries.unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(percent: u32, min_concurrency: u32, max_retries: Option<u32>) -> Budget {
        Budget { percent, min_concurrency, max_retries }
    }

    #[test]
    fn the_bound_is_the_share_the_minimum_or_the_breakers_whichever_rules() {
        let cases = [
            (budget(20, 3, None), 0, 0, 3),
            (budget(20, 3, None), 100, 0, 20),
            (budget(20, 3, None), 120, 20, 20),
            (budget(20, 3, None), 19, 4, 3),
            (budget(20, 3, Some(2)), 100, 0, 2),
            (budget(100, 0, Some(50)), 100, 0, 50),
            (budget(0, 0, None), 1_000, 0, 0),
            (budget(20, 3, None), u32::MAX, 0, 858_993_459),
            (budget(20, 3, None), 2, 7, 3),
        ];
        for (budget, active, retrying, bound) in cases {
            assert_eq!(budget.bound(active, retrying), bound, "{budget:?} {active} {retrying}");
        }
    }

    proptest! {
        /// However exchanges come and go, a retry that is let in leaves at most the share, or the minimum, under way.
        #[test]
        fn retries_never_outgrow_their_share(
            percent in 0_u32..=100,
            min in 0_u32..10,
            steps in prop::collection::vec((0_u32..200, any::<bool>()), 1..200),
        ) {
            let budget = budget(percent, min, None);
            let mut retrying = 0_u32;
            for (first_attempts, ends) in steps {
                if ends {
                    retrying = retrying.saturating_sub(1);
                } else if retrying < budget.bound(first_attempts + retrying, retrying) {
                    retrying += 1;
                    prop_assert!(retrying <= min.max(first_attempts * percent / 100));
                }
            }
        }
    }
}
