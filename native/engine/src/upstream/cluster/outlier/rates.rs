//! Whose failures stand out among all endpoints of a cluster, over one interval (Envoy's success rate and failure
//! percentage outliers). Pure.

use crate::snapshot::{FailurePercentage, SuccessRateOutlier};

/// What an endpoint was asked within an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) total: u32,
    pub(super) failed: u32,
}

impl Volume {
    fn success_percent(self) -> f64 {
        100.0 - self.failure_percent()
    }

    fn failure_percent(self) -> f64 {
        if self.total == 0 { 0.0 } else { f64::from(self.failed) * 100.0 / f64::from(self.total) }
    }
}

/// An endpoint that stands out, by its place, and how.
pub(super) type Outlier = (usize, String);

/// Endpoints whose success rate is more than so many standard deviations below the mean of all that were asked enough.
pub(super) fn by_success_rate(rule: &SuccessRateOutlier, volumes: &[Volume]) -> Vec<Outlier> {
    let asked = asked_enough(volumes, rule.request_volume, rule.min_hosts);
    let count = asked.len().max(1) as f64;
    let rates = || asked.iter().map(|(_, volume)| volume.success_percent());
    let mean = rates().sum::<f64>() / count;
    let variance = rates().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    let least = mean - rule.stdev_factor * variance.sqrt();
    let standing_out = asked.iter().filter(|(_, volume)| volume.success_percent() < least);
    standing_out
        .map(|(at, volume)| {
            let (rate, of) = (volume.success_percent(), volume.total);
            (
                *at,
                format!("{rate:.1}% of {of} requests succeeded, below {least:.1}% (mean of the endpoints {mean:.1}%)"),
            )
        })
        .collect()
}

/// Endpoints that fail as often as the rule says, or more often.
pub(super) fn by_failure_percentage(rule: &FailurePercentage, volumes: &[Volume]) -> Vec<Outlier> {
    let asked = asked_enough(volumes, rule.request_volume, rule.min_hosts);
    let failing = asked.iter().filter(|(_, volume)| volume.failure_percent() >= rule.threshold);
    failing
        .map(|(at, volume)| (*at, format!("{:.1}% of {} requests failed", volume.failure_percent(), volume.total)))
        .collect()
}

/// Those that were asked enough to be compared, by their place; none unless there are so many.
fn asked_enough(volumes: &[Volume], request_volume: u32, min_hosts: u32) -> Vec<(usize, Volume)> {
    let enough = |(_, volume): &(usize, Volume)| volume.total > 0 && volume.total >= request_volume;
    let asked: Vec<_> = volumes.iter().copied().enumerate().filter(enough).collect();
    if asked.len() >= min_hosts as usize { asked } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SuccessRateOutlier = SuccessRateOutlier { stdev_factor: 1.9, min_hosts: 5, request_volume: 100 };
    const PERCENTAGE: FailurePercentage = FailurePercentage { threshold: 85.0, min_hosts: 5, request_volume: 50 };

    fn volumes(all: &[(u32, u32)]) -> Vec<Volume> {
        all.iter().map(|(total, failed)| Volume { total: *total, failed: *failed }).collect()
    }

    fn places(outliers: &[Outlier]) -> Vec<usize> {
        outliers.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn one_that_fails_among_good_ones_stands_out_by_its_success_rate() {
        let mut all = vec![(100, 1); 5];
        all[3] = (200, 60);
        let found = by_success_rate(&RATE, &volumes(&all));
        // 99, 99, 99, 70, 99: mean 93.2, deviation 11.6, so that the least is 71.16.
        assert_eq!(places(&found), [3]);
        assert_eq!(found[0].1, "70.0% of 200 requests succeeded, below 71.2% (mean of the endpoints 93.2%)");
        all[3] = (200, 2);
        assert!(by_success_rate(&RATE, &volumes(&all)).is_empty(), "all alike");
    }

    #[test]
    fn nobody_stands_out_where_all_fail_alike_or_too_few_were_asked_enough() {
        assert!(by_success_rate(&RATE, &volumes(&[(100, 90); 10])).is_empty());
        let mut all = vec![(100, 0); 5];
        all[0] = (99, 99);
        assert!(by_success_rate(&RATE, &volumes(&all)).is_empty(), "four with enough requests are not five");
        assert!(by_success_rate(&RATE, &[]).is_empty());
        assert!(by_failure_percentage(&PERCENTAGE, &volumes(&[(100, 100); 4])).is_empty());
    }

    #[test]
    fn a_failure_percentage_is_compared_with_nobody() {
        let all = volumes(&[(50, 43), (50, 42), (49, 49), (50, 0), (50, 50), (1_000, 850)]);
        assert_eq!(places(&by_failure_percentage(&PERCENTAGE, &all)), [0, 4, 5]);
        assert_eq!(by_failure_percentage(&PERCENTAGE, &all)[0].1, "86.0% of 50 requests failed");
    }
}
