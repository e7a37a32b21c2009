//! How long a cluster's answers take now: a percentile of the last ten to twenty seconds, shared by all workers.
//!
//! Two windows of equal length take turns; the percentile is over both, so that it never begins anew. An attempt that
//! was overtaken counts with the time that it had taken until then: were it left out, the slow ones would be missing, and
//! each second attempt would make the next one sooner.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use crate::telemetry::metrics::{Bins, Latency};

/// Length of a window, ms.
const WINDOW_MS: u64 = 10_000;
/// How often the percentile is taken anew, ms.
const PACE_MS: u64 = 250;
/// Fewer answers tell nothing.
const FEWEST: u64 = 30;
/// Nothing is known.
const UNKNOWN: u32 = u32::MAX;

/// What was learned of a cluster.
#[derive(Debug)]
pub(super) struct Learned {
    epoch: Instant,
    windows: [Latency; 2],
    /// Which window it is now, counted from the first.
    turn: AtomicU64,
    /// When the percentile is taken next, ms from the epoch.
    next_ms: AtomicU64,
    value_us: AtomicU32,
}

impl Learned {
    pub(super) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            windows: [Latency::default(), Latency::default()],
            turn: AtomicU64::new(0),
            next_ms: AtomicU64::new(0),
            value_us: AtomicU32::new(UNKNOWN),
        }
    }

    /// An answer took so long, or had not come after so long.
    pub(super) fn count(&self, took: Duration) {
        if let Some(window) = self.windows.get((self.turn.load(Relaxed) % 2) as usize) {
            window.count_shared(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// The percentile, once there is enough to tell it. Whoever comes first after its time takes it anew.
    pub(super) fn percentile(&self, percent: u8, now: Instant) -> Option<Duration> {
        let now_ms = now.saturating_duration_since(self.epoch).as_millis() as u64;
        let due = self.next_ms.load(Relaxed);
        if now_ms >= due && self.next_ms.compare_exchange(due, now_ms + PACE_MS, Relaxed, Relaxed).is_ok() {
            self.renew(percent, now_ms);
        }
        match self.value_us.load(Relaxed) {
            UNKNOWN => None,
            us => Some(Duration::from_micros(us.into())),
        }
    }

    fn renew(&self, percent: u8, now_ms: u64) {
        let mut bins = Bins::default();
        self.windows.iter().for_each(|window| bins.add(window));
        self.value_us.store(of(&bins, percent).unwrap_or(UNKNOWN), Relaxed);
        let turn = now_ms / WINDOW_MS;
        let before = self.turn.load(Relaxed);
        if turn == before {
            return;
        }
        // The one that becomes the present one holds what is oldest; after a long silence both do.
        for window in self.windows.iter().skip((turn % 2) as usize).take(1) {
            window.drain();
        }
        if turn > before + 1 {
            self.windows.iter().for_each(|window| {
                window.drain();
            });
        }
        self.turn.store(turn, Relaxed);
    }
}

/// The duration below which so many per cent lie, µs.
fn of(bins: &Bins, percent: u8) -> Option<u32> {
    let total: u64 = bins.iter().map(|(_, count)| count).sum();
    if total < FEWEST {
        return None;
    }
    let wanted = (total * u64::from(percent)).div_ceil(100);
    let mut seen = 0;
    let (us, _) = bins.iter().find(|(_, count)| {
        seen += count;
        seen >= wanted
    })?;
    Some(u32::try_from(us).unwrap_or(UNKNOWN - 1).min(UNKNOWN - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn after(learned: &Learned, ms: u64) -> Option<u128> {
        let now = learned.epoch + MS * u32::try_from(ms).unwrap();
        learned.percentile(90, now).map(|value| value.as_millis())
    }

    #[test]
    fn nothing_is_known_before_enough_has_come() {
        let learned = Learned::new(Instant::now());
        assert_eq!(after(&learned, 0), None);
        (0..FEWEST - 1).for_each(|_| learned.count(5 * MS));
        assert_eq!(after(&learned, 250), None);
        learned.count(5 * MS);
        assert_eq!(after(&learned, 499), None, "not before its time");
        assert!(after(&learned, 500).is_some_and(|ms| (4..=5).contains(&ms)));
    }

    #[test]
    fn it_is_the_duration_below_which_so_many_lie() {
        let learned = Learned::new(Instant::now());
        (1..=100).for_each(|ms| learned.count(ms * MS));
        assert!(after(&learned, 0).is_some_and(|ms| (88..=92).contains(&ms)));
    }

    #[test]
    fn what_is_older_than_two_windows_is_forgotten() {
        let learned = Learned::new(Instant::now());
        (0..1_000).for_each(|_| learned.count(100 * MS));
        assert!(after(&learned, 9_000).is_some_and(|ms| ms > 90));
        after(&learned, 10_000);
        (0..100).for_each(|_| learned.count(MS));
        assert!(after(&learned, 19_000).is_some_and(|ms| ms > 90), "the window before counts");
        after(&learned, 20_000);
        (0..100).for_each(|_| learned.count(MS));
        assert!(after(&learned, 20_500).is_some_and(|ms| ms <= 1));
        after(&learned, 60_000);
        assert_eq!(after(&learned, 60_500), None, "after a long silence nothing is known");
    }
}
