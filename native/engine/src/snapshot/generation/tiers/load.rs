//! How the priorities of a cluster share its requests. Pure.
//!
//! Envoy's rule ("Priority levels", "Panic threshold"): a priority has health `min(100 %, 1.4 × healthy / total)`; from
//! the first one on each takes as much as its health, over the sum of all where that is less than 100 %. Where it is
//! less, a priority with fewer healthy endpoints than the threshold panics: it uses all that it has. Shares are kept to
//! a millionth, where Envoy cuts them to whole percents.

/// All requests, in the unit of shares.
pub const WHOLE: u32 = 1_000_000;

/// When endpoints are short of health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provision {
    /// Percent of healthy endpoints below which all count as healthy; 0: never.
    pub panic_threshold: u32,
    /// Percent that the healthy ones can take of what they were made for.
    pub over_provisioning: u32,
}

impl Default for Provision {
    fn default() -> Self {
        Self { panic_threshold: 50, over_provisioning: 140 }
    }
}

impl Provision {
    /// How much of the requests so many healthy endpoints of so many can take.
    pub fn health(&self, usable: u32, total: u32) -> u32 {
        let most = u64::from(self.over_provisioning) * u64::from(usable) * u64::from(WHOLE / 100);
        most.checked_div(total.into()).map_or(0, |health| health.min(WHOLE.into()) as u32)
    }

    /// Whether so few healthy endpoints of so many are below the threshold, in whole percents.
    pub fn is_short(&self, usable: u32, total: u32) -> bool {
        u64::from(usable) * 100 < u64::from(self.panic_threshold) * u64::from(total)
    }

    /// Whether a cluster of a single priority panics.
    #[inline]
    pub fn panics(&self, usable: u32, total: u32) -> bool {
        self.is_short(usable, total) && self.health(usable, total) < WHOLE
    }
}

/// The part of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Of [`WHOLE`].
    pub share: u32,
    /// All of its endpoints are used, healthy or not.
    pub panicked: bool,
}

/// How priorities share requests, by healthy and all endpoints of each.
pub fn loads(levels: &[(u32, u32)], provision: &Provision) -> Vec<Load> {
    let health: Vec<u64> = levels.iter().map(|(usable, total)| provision.health(*usable, *total).into()).collect();
    let whole = u64::from(WHOLE);
    let sum = health.iter().sum::<u64>().min(whole);
    let panics = |(usable, total): &(u32, u32)| sum < whole && provision.is_short(*usable, *total);
    let mut left = whole;
    let mut loads: Vec<Load> = levels
        .iter()
        .zip(&health)
        .map(|(level, health)| {
            let share = (health * whole).checked_div(sum).unwrap_or(0).min(left);
            left -= share;
            // The share is at most WHOLE.
            Load { share: share as u32, panicked: panics(level) }
        })
        .collect();
    // What rounding leaves goes to the first that has a share; to the first of all when nobody is healthy.
    let first = loads.iter().position(|load| load.share > 0).unwrap_or(0);
    if let Some(load) = loads.get_mut(first) {
        load.share += left as u32;
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVISION: Provision = Provision { panic_threshold: 50, over_provisioning: 140 };

    /// Whole percents, and who panics.
    fn told(levels: &[(u32, u32)], provision: &Provision) -> Vec<(u32, bool)> {
        let percent = |load: &Load| ((load.share + WHOLE / 200) / (WHOLE / 100), load.panicked);
        loads(levels, provision).iter().map(percent).collect()
    }

    #[test]
    fn loads_and_panic_are_those_of_the_table() {
        type Row = (&'static [u32], &'static [(u32, bool)]);
        let table: &[Row] = &[
            (&[100, 100], &[(100, false), (0, false)]),
            (&[72, 100], &[(100, false), (0, false)]),
            (&[71, 100], &[(99, false), (1, false)]),
            (&[50, 100], &[(70, false), (30, false)]),
            (&[25, 100], &[(35, false), (65, false)]),
            (&[0, 100], &[(0, false), (100, false)]),
            (&[25, 25], &[(50, true), (50, true)]),
            (&[5, 65], &[(7, true), (93, false)]),
            (&[72, 72, 100], &[(100, false), (0, false), (0, false)]),
            (&[50, 50, 100], &[(70, false), (30, false), (0, false)]),
            (&[25, 25, 100], &[(35, false), (35, false), (30, false)]),
            (&[0, 0, 20], &[(0, true), (0, true), (100, true)]),
            (&[0, 0], &[(100, true), (0, true)]),
            (&[49], &[(100, true)]),
            (&[50], &[(100, false)]),
        ];
        for (healthy, expected) in table {
            let levels: Vec<(u32, u32)> = healthy.iter().map(|healthy| (*healthy, 100)).collect();
            assert_eq!(told(&levels, &PROVISION), *expected, "{healthy:?}");
        }
    }

    #[test]
    fn a_threshold_of_zero_never_panics_and_leaves_everything_to_the_first() {
        let never = Provision { panic_threshold: 0, ..PROVISION };
        assert_eq!(told(&[(0, 10), (0, 10)], &never), [(100, false), (0, false)]);
        assert_eq!(told(&[(1, 10), (0, 10)], &never), [(100, false), (0, false)]);
    }

    #[test]
    fn a_cluster_of_one_priority_panics_as_the_rule_for_several_says() {
        for threshold in [0, 1, 33, 50, 72, 90, 100] {
            let provision = Provision { panic_threshold: threshold, ..PROVISION };
            for total in 1..40 {
                for usable in 0..=total {
                    let [load] = loads(&[(usable, total)], &provision)[..] else { panic!("one load") };
                    assert_eq!(load.panicked, provision.panics(usable, total), "{usable} of {total} at {threshold}");
                }
            }
        }
    }
}
