//! How the zones of one priority share its requests. Pure.

use super::load::{Provision, WHOLE};

/// One zone, as routing towards the own one sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    /// What its healthy endpoints weigh.
    pub healthy: u64,
    /// How many of the proxies that call run there.
    pub callers: u64,
}

/// Shares, of [`WHOLE`], of the zones when the one at `own` is to be kept to; `None`: nobody is healthy, or nobody calls.
///
/// Envoy's zone aware routing: a zone that has at least the part of the endpoints that it has of the callers keeps all its
/// requests; another one keeps as many as make it as loaded as the rest, and gives the others to those with room, by how
/// much of it they have.
pub fn toward_own_zone(zones: &[Origin], own: usize) -> Option<Vec<u32>> {
    let part = |of: fn(&Origin) -> u64| {
        let sum: u64 = zones.iter().map(of).sum();
        (sum > 0).then(|| zones.iter().map(|zone| of(zone) as f64 / sum as f64).collect::<Vec<f64>>())
    };
    let (healthy, callers) = (part(|zone| zone.healthy)?, part(|zone| zone.callers)?);
    let (here, calling) = (*healthy.get(own)?, *callers.get(own)?);
    let kept = if here >= calling { 1.0 } else { here / calling };
    let room = |at: usize, (healthy, callers): (&f64, &f64)| if at == own { 0.0 } else { (healthy - callers).max(0.0) };
    let rooms: Vec<f64> = healthy.iter().zip(&callers).enumerate().map(|(at, zone)| room(at, zone)).collect();
    let all: f64 = rooms.iter().sum();
    let kept = if all > 0.0 { kept } else { 1.0 };
    let share =
        |(at, room): (usize, &f64)| if at == own { kept } else { (1.0 - kept) * room / all.max(f64::MIN_POSITIVE) };
    Some(whole(rooms.iter().enumerate().map(share).collect(), own))
}

/// Shares, of [`WHOLE`], by weight, where a zone short of health has less: `weight × min(1, 1.4 × healthy / total)`, by
/// weight and healthy and all endpoints of each. `None`: nobody is healthy.
pub fn weighted(zones: &[(u64, u32, u32)], provision: &Provision) -> Option<Vec<u32>> {
    let effective = |(weight, usable, total): &(u64, u32, u32)| {
        *weight as f64 * f64::from(provision.health(*usable, *total)) / f64::from(WHOLE)
    };
    let weights: Vec<f64> = zones.iter().map(effective).collect();
    let sum: f64 = weights.iter().sum();
    let heaviest = (0..weights.len()).max_by(|one, other| {
        weights.get(*one).partial_cmp(&weights.get(*other)).unwrap_or(std::cmp::Ordering::Equal)
    })?;
    (sum > 0.0).then(|| whole(weights.iter().map(|weight| weight / sum).collect(), heaviest))
}

/// Parts as numbers that add up to [`WHOLE`]: what rounding leaves goes to one of them.
fn whole(parts: Vec<f64>, rest: usize) -> Vec<u32> {
    let mut shares: Vec<u32> = parts.iter().map(|part| (part * f64::from(WHOLE)) as u32).collect();
    let sum = shares.iter().fold(0_u32, |sum, share| sum.saturating_add(*share));
    if let Some(share) = shares.get_mut(rest) {
        *share = share.saturating_add(WHOLE).saturating_sub(sum);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVISION: Provision = Provision { panic_threshold: 50, over_provisioning: 140 };

    fn percents(shares: Option<Vec<u32>>) -> Option<Vec<u32>> {
        shares.map(|shares| {
            assert_eq!(shares.iter().sum::<u32>(), WHOLE);
            shares.iter().map(|share| (share + WHOLE / 200) / (WHOLE / 100)).collect()
        })
    }

    fn toward(zones: &[(u64, u64)], own: usize) -> Option<Vec<u32>> {
        let zones: Vec<Origin> =
            zones.iter().map(|(healthy, callers)| Origin { healthy: *healthy, callers: *callers }).collect();
        percents(toward_own_zone(&zones, own))
    }

    #[test]
    fn a_zone_with_enough_endpoints_keeps_its_requests() {
        assert_eq!(toward(&[(3, 1), (3, 1)], 0), Some(vec![100, 0]));
        assert_eq!(toward(&[(5, 1), (1, 1)], 0), Some(vec![100, 0]));
        assert_eq!(toward(&[(1, 1), (5, 0)], 1), Some(vec![0, 100]));
    }

    #[test]
    fn a_zone_with_too_few_gives_the_rest_to_those_with_room() {
        // A sixth of the endpoints for half of the callers: a third stays.
        assert_eq!(toward(&[(1, 1), (5, 1)], 0), Some(vec![33, 67]));
        // The third zone is itself short: only the second has room.
        assert_eq!(toward(&[(2, 1), (6, 1), (1, 1)], 0), Some(vec![67, 33, 0]));
        assert_eq!(toward(&[(0, 1), (6, 1)], 0), Some(vec![0, 100]));
    }

    #[test]
    fn every_zone_is_as_loaded_as_the_others_when_all_proxies_do_the_same() {
        let endpoints = [1_u64, 4, 3, 8];
        let callers = [5_u64, 2, 2, 1];
        let zones: Vec<Origin> =
            endpoints.iter().zip(callers).map(|(healthy, callers)| Origin { healthy: *healthy, callers }).collect();
        let mut arriving = [0.0; 4];
        for (own, calling) in callers.iter().enumerate() {
            let shares = toward_own_zone(&zones, own).unwrap();
            shares.iter().zip(&mut arriving).for_each(|(share, sum)| *sum += f64::from(*share) * *calling as f64);
        }
        let all: f64 = arriving.iter().sum();
        for (arriving, endpoints) in arriving.iter().zip(endpoints) {
            assert!(
                (arriving / all - endpoints as f64 / 16.0).abs() < 0.001,
                "{arriving} of {all} at {endpoints} of 16"
            );
        }
    }

    #[test]
    fn nobody_healthy_or_nobody_known_to_call_decides_nothing() {
        assert_eq!(toward(&[(0, 1), (0, 1)], 0), None);
        assert_eq!(toward(&[(1, 0), (1, 0)], 0), None);
        assert_eq!(toward(&[], 0), None);
    }

    #[test]
    fn weights_shrink_where_health_is_below_what_over_provisioning_covers() {
        let shares = |zones: &[(u64, u32, u32)]| percents(weighted(zones, &PROVISION));
        assert_eq!(shares(&[(1, 10, 10), (1, 10, 10)]), Some(vec![50, 50]));
        assert_eq!(shares(&[(1, 10, 10), (1, 8, 10)]), Some(vec![50, 50]));
        assert_eq!(shares(&[(1, 10, 10), (1, 5, 10)]), Some(vec![59, 41]));
        assert_eq!(shares(&[(3, 10, 10), (1, 0, 10)]), Some(vec![100, 0]));
        assert_eq!(shares(&[(1, 0, 10), (1, 0, 10)]), None);
    }
}
