//! The breaker of one endpoint as a machine without a clock: closed → open → one probe → closed, or open for twice as
//! long. Pure.

use std::fmt;
use std::time::{Duration, Instant};

use super::condition::{Numbers, Seen, TripCondition};
use super::window::Window;
use crate::snapshot::Trip;

/// What one attempt says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// It failed, or was answered with 5xx.
    pub(super) failed: bool,
    /// The same, or with 429: the endpoint has too much to do.
    pub(super) refused: bool,
    /// From its begin to the first byte or the failure, µs.
    pub(super) took_us: u32,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Position {
    /// Requests go through.
    #[default]
    Closed,
    /// None does; from this moment on one may try.
    Open(Instant),
    /// One is trying.
    HalfOpen,
}

/// Why it opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reason {
    Consecutive(u32),
    SuccessRate { percent: f64, of: u32 },
    SlowCalls { percent: f64, of: u32, over_ms: u32 },
    Condition(Numbers),
    Probe { slow: bool },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consecutive(count) => write!(f, "{count} failures in a row"),
            Self::SuccessRate { percent, of } => write!(f, "{percent:.1}% of {of} requests succeeded"),
            Self::SlowCalls { percent, of, over_ms } => {
                write!(f, "{percent:.1}% of {of} requests took longer than {over_ms} ms")
            }
            Self::Condition(Numbers { streak, requests, success, slow }) => {
                let rates = format_args!("{success:.1}% of {requests} requests succeeded, {slow:.1}% were slow");
                write!(f, "its condition held: {streak} failures in a row, {rates}")
            }
            Self::Probe { slow: true } => f.write_str("the request that tried it was slow"),
            Self::Probe { slow: false } => f.write_str("the request that tried it failed"),
        }
    }
}

/// The machine.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) position: Position,
    streak: u32,
    rate: Window,
    slow: Window,
    /// For a condition.
    seen: Seen,
    /// Openings in a row without a probe that succeeded.
    openings: u32,
}

impl Machine {
    /// Counts an attempt while it is closed. `Some`: it is to open.
    pub(super) fn count(&mut self, trip: &Trip, sample: Sample, now: Instant) -> Option<Reason> {
        self.streak = if sample.failed { self.streak.saturating_add(1) } else { 0 };
        // Both windows go on whatever the first of them says.
        let rate = trip.success_rate.as_ref().and_then(|rule| {
            let counts = self.rate.count(ms(rule.window_ms), now, sample.refused);
            let percent = 100.0 - counts.percent();
            let reason = Reason::SuccessRate { percent, of: counts.total };
            (counts.total >= rule.min_requests && percent < rule.below_percent).then_some(reason)
        });
        let slow = trip.slow_calls.as_ref().and_then(|rule| {
            let counts = self.slow.count(ms(rule.window_ms), now, is_slow(trip, sample));
            let reason = Reason::SlowCalls { percent: counts.percent(), of: counts.total, over_ms: rule.over_ms };
            (counts.total >= rule.min_requests && counts.percent() > rule.above_percent).then_some(reason)
        });
        let consecutive = trip.consecutive_failures.filter(|most| self.streak >= *most).map(Reason::Consecutive);
        consecutive.or(rate).or(slow)
    }

    /// The same for a condition, after [`Self::count`].
    pub(super) fn count_for(&mut self, condition: &TripCondition, sample: Sample, now: Instant) -> Option<Reason> {
        condition.count(&mut self.seen, sample, self.streak, now).map(Reason::Condition)
    }

    /// What the probe says: `None` that it may close.
    pub(super) fn judge(trip: &Trip, sample: Sample) -> Option<Reason> {
        let slow = is_slow(trip, sample);
        (slow || sample.refused).then_some(Reason::Probe { slow: slow && !sample.refused })
    }

    /// Opens, for twice as long as the last time; `chance` is a random number in 0..1. Returns for how long.
    pub(super) fn open(&mut self, trip: &Trip, now: Instant, chance: f64) -> Duration {
        let doubled = u64::from(trip.open_ms).saturating_mul(1 << self.openings.min(31));
        let most = u64::from(trip.max_open_ms.max(trip.open_ms));
        let open = Duration::from_millis(doubled.min(most)).mul_f64(1.0 + chance * trip.jitter_percent / 100.0);
        self.openings = self.openings.saturating_add(1);
        self.forget();
        self.position = Position::Open(now + open);
        open
    }

    /// Closes, with nothing held against the endpoint.
    pub(super) fn close(&mut self) {
        self.openings = 0;
        self.forget();
        self.position = Position::Closed;
    }

    fn forget(&mut self) {
        self.streak = 0;
        self.rate.clear();
        self.slow.clear();
        self.seen.clear();
    }
}

fn is_slow(trip: &Trip, sample: Sample) -> bool {
    trip.slow_calls.as_ref().is_some_and(|rule| u64::from(sample.took_us) > u64::from(rule.over_ms) * 1000)
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{SlowCalls, SuccessRateBelow};

    const GOOD: Sample = Sample { failed: false, refused: false, took_us: 1_000 };
    const BAD: Sample = Sample { failed: true, refused: true, took_us: 1_000 };
    const BUSY: Sample = Sample { failed: false, refused: true, took_us: 1_000 };
    const SLOW: Sample = Sample { failed: false, refused: false, took_us: 1_000_001 };

    fn trip() -> Trip {
        Trip {
            consecutive_failures: Some(7),
            success_rate: Some(SuccessRateBelow { below_percent: 80.0, window_ms: 10_000, min_requests: 20 }),
            slow_calls: Some(SlowCalls { over_ms: 1_000, above_percent: 50.0, window_ms: 10_000, min_requests: 20 }),
            when: None,
            open_ms: 1_000,
            max_open_ms: 60_000,
            jitter_percent: 0.0,
        }
    }

    /// Counts them all, a millisecond apart; the place and the reason of the first that opens it.
    fn course(trip: &Trip, samples: impl IntoIterator<Item = Sample>) -> Option<(usize, String)> {
        let (mut machine, begin) = (Machine::default(), Instant::now());
        let mut opened = samples.into_iter().enumerate().filter_map(|(at, sample)| {
            let reason = machine.count(trip, sample, begin + Duration::from_millis(at as u64))?;
            Some((at, reason.to_string()))
        });
        opened.next()
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_begins_anew() {
        let only = Trip { success_rate: None, slow_calls: None, ..trip() };
        assert_eq!(course(&only, [BAD; 9]), Some((6, "7 failures in a row".to_owned())));
        let broken = [BAD, BAD, BAD, BAD, BAD, BAD, GOOD].repeat(20);
        assert_eq!(course(&only, broken), None);
        assert_eq!(course(&only, [BUSY; 50]), None, "429 is no failure in a row");
    }

    #[test]
    fn a_success_rate_opens_it_from_the_least_number_of_requests_on() {
        let only = Trip { consecutive_failures: None, slow_calls: None, ..trip() };
        let quarter = [GOOD, GOOD, GOOD, BAD].repeat(10);
        assert_eq!(course(&only, quarter), Some((19, "75.0% of 20 requests succeeded".to_owned())));
        let fifth = [GOOD, GOOD, GOOD, GOOD, BAD].repeat(10);
        assert_eq!(course(&only, fifth), None, "80% is not below 80%");
        assert!(course(&only, [GOOD, GOOD, GOOD, BUSY].repeat(10)).is_some(), "429 counts here");
    }

    #[test]
    fn slow_answers_open_it() {
        let only = Trip { consecutive_failures: None, success_rate: None, ..trip() };
        let words = "55.0% of 20 requests took longer than 1000 ms".to_owned();
        assert_eq!(course(&only, [[SLOW; 11].as_slice(), &[GOOD; 9]].concat()), Some((19, words)));
        assert_eq!(course(&only, [GOOD, SLOW].repeat(30)), None, "half is not above half");
    }

    #[test]
    fn it_stays_open_for_twice_as_long_each_time_up_to_the_most_and_begins_anew_once_closed() {
        let (trip, mut machine, now) = (trip(), Machine::default(), Instant::now());
        let seconds: Vec<u64> = (0..8).map(|_| machine.open(&trip, now, 0.5).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        machine.close();
        assert_eq!(machine.position, Position::Closed);
        let jittered = Trip { jitter_percent: 50.0, ..trip };
        assert_eq!(machine.open(&jittered, now, 0.5), Duration::from_millis(1_250));
        assert_eq!(machine.position, Position::Open(now + Duration::from_millis(1_250)));
    }

    #[test]
    fn what_the_breaker_counted_before_it_opened_does_not_count_once_it_closed() {
        let (trip, mut machine, now) = (trip(), Machine::default(), Instant::now());
        for _ in 0..6 {
            assert_eq!(machine.count(&trip, BAD, now), None);
        }
        machine.open(&trip, now, 0.0);
        machine.close();
        for _ in 0..6 {
            assert_eq!(machine.count(&trip, BAD, now), None);
        }
    }

    #[test]
    fn a_probe_that_fails_is_refused_or_is_slow_does_not_close_it() {
        assert_eq!(Machine::judge(&trip(), GOOD), None);
        for sample in [BAD, BUSY, SLOW] {
            assert!(Machine::judge(&trip(), sample).is_some(), "{sample:?}");
        }
    }
}
