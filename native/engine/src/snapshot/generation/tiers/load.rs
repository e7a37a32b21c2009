//! How the priorities of a cluster share its requests. Pure.
//!
//! Envoy's rule ("Priority levels", "Degraded endpoints", "Panic threshold"): a priority has health
//! `min(100 %, 1.4 × healthy / total)`; from the first one on each takes as much as its health, then, of what is left, as
//! much as the same of its degraded endpoints, each over the sum of all where that is less than 100 %. Where it is less, a
//! priority with fewer endpoints that are up than the threshold panics: it uses all that it has. Shares are kept to a
//! millionth, where Envoy cuts them to whole percents.

use super::super::condition::Headcount;

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
    /// How much of the requests so many endpoints of so many can take.
    #[inline]
    pub fn health(&self, able: u32, total: u32) -> u32 {
        let most = u64::from(self.over_provisioning) * u64::from(able) * u64::from(WHOLE / 100);
        most.checked_div(total.into()).map_or(0, |health| health.min(WHOLE.into()) as u32)
    }

    /// Whether so few endpoints of so many are below the threshold.
    #[inline]
    pub fn is_short(&self, up: u32, total: u32) -> bool {
        u64::from(up) * 100 < u64::from(self.panic_threshold) * u64::from(total)
    }

    /// Whether a cluster of a single priority panics.
    #[inline]
    pub fn panics(&self, count: &Headcount, total: u32) -> bool {
        let up = total.saturating_sub(count.down);
        let able = self.health(count.healthy(total), total) + self.health(count.degraded, total);
        self.is_short(up, total) && able < WHOLE
    }
}

/// The part of one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// What its healthy endpoints take, of [`WHOLE`].
    pub healthy: u32,
    /// What its degraded endpoints take.
    pub degraded: u32,
    /// All of its endpoints are used, healthy or not.
    pub panicked: bool,
}

impl Load {
    /// Its share of the requests, of [`WHOLE`].
    pub fn share(&self) -> u32 {
        self.healthy + self.degraded
    }
}

/// How priorities share requests, by the conditions and the number of the endpoints of each.
pub fn loads(levels: &[(Headcount, u32)], provision: &Provision) -> Vec<Load> {
    let able = |of: fn(&Headcount, u32) -> u32| -> Vec<u64> {
        levels.iter().map(|(count, total)| provision.health(of(count, *total), *total).into()).collect()
    };
    let (healthy, degraded) = (able(Headcount::healthy), able(|count, _| count.degraded));
    let whole = u64::from(WHOLE);
    let sum = healthy.iter().chain(&degraded).sum::<u64>().min(whole);
    let mut left = whole;
    let mut share = |able: &u64| {
        let share = (able * whole).checked_div(sum).unwrap_or(0).min(left);
        left -= share;
        // At most WHOLE.
        share as u32
    };
    let healthy: Vec<u32> = healthy.iter().map(&mut share).collect();
    let degraded: Vec<u32> = degraded.iter().map(&mut share).collect();
    let is_short = |(count, total): &(Headcount, u32)| provision.is_short(total.saturating_sub(count.down), *total);
    let load = |((level, healthy), degraded)| Load { healthy, degraded, panicked: sum < whole && is_short(level) };
    let mut loads: Vec<Load> = levels.iter().zip(healthy).zip(degraded).map(load).collect();
    // What rounding leaves goes to the first that has a share; to the first of all when nobody is up.
    let first = loads.iter().position(|load| load.healthy > 0);
    let first = first.or_else(|| loads.iter().position(|load| load.degraded > 0));
    match loads.get_mut(first.unwrap_or(0)) {
        Some(load) if load.healthy == 0 && load.degraded > 0 => load.degraded += left as u32,
        Some(load) => load.healthy += left as u32,
        None => {}
    }
    loads
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVISION: Provision = Provision { panic_threshold: 50, over_provisioning: 140 };

    fn count(healthy: u32, total: u32) -> (Headcount, u32) {
        (Headcount { down: total - healthy, ..Headcount::default() }, total)
    }

    /// Whole percents, and who panics.
    fn told(levels: &[(u32, u32)], provision: &Provision) -> Vec<(u32, bool)> {
        let levels: Vec<(Headcount, u32)> = levels.iter().map(|(healthy, total)| count(*healthy, *total)).collect();
        let loads = loads(&levels, provision);
        assert_eq!(loads.iter().map(Load::share).sum::<u32>(), WHOLE);
        loads.iter().map(|load| (percent(load.share()), load.panicked)).collect()
    }

    fn percent(share: u32) -> u32 {
        (share + WHOLE / 200) / (WHOLE / 100)
    }

    #[test]
    fn degraded_endpoints_take_what_the_healthy_ones_of_all_priorities_leave() {
        type Row = (&'static [(u32, u32)], &'static [(u32, u32)]);
        // Envoy's table of two priorities: healthy and degraded percents, then their loads.
        let table: &[Row] = &[
            (&[(100, 0), (100, 0)], &[(100, 0), (0, 0)]),
            (&[(0, 100), (100, 0)], &[(0, 0), (100, 0)]),
            (&[(25, 25), (25, 25)], &[(35, 30), (35, 0)]),
            (&[(5, 0), (0, 65)], &[(7, 0), (0, 93)]),
            (&[(5, 65)], &[(7, 93)]),
            (&[(0, 10)], &[(0, 100)]),
        ];
        for (levels, expected) in table {
            let counts: Vec<(Headcount, u32)> = levels
                .iter()
                .map(|(healthy, degraded)| {
                    (Headcount { down: 100 - healthy - degraded, degraded: *degraded, tripped: 0 }, 100)
                })
                .collect();
            let loads = loads(&counts, &PROVISION);
            let told: Vec<(u32, u32)> =
                loads.iter().map(|load| (percent(load.healthy), percent(load.degraded))).collect();
            assert_eq!(told, *expected, "{levels:?}");
        }
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
                for healthy in 0..=total {
                    let count = count(healthy, total);
                    let [load] = loads(&[count], &provision)[..] else { panic!("one load") };
                    let panics = provision.panics(&count.0, total);
                    assert_eq!(load.panicked, panics, "{healthy} of {total} at {threshold}");
                }
            }
        }
    }
}
