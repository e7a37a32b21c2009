//! One bucket that many keys share fairly: max-min fair shares (Bertsekas and Gallager, Data Networks, section 6.5.2).
//!
//! Each key has a bucket of its own beside the common one. In every window the requests of each key are counted, refused
//! ones too; at its end the level is found to which all demands can be filled with the tokens that come in a window, and
//! that is how fast the keys' own buckets fill in the next. While all demands together fit, a key's bucket is as good as
//! the common one. The level needs no look at each key: a key that asks for the n-th time in a window is counted at n, so
//! that the counts of the levels up to n sum up to what all demands cut off at n come to (above 32 in steps of 1/16).
//!
//! A key that shows up within a window must find tokens although another has taken all it could get: the emptier a
//! key's own bucket, the more of the common one it leaves to others, up to a quarter.
//!
//! Invariant: all keys together are never granted more than the common bucket holds.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use super::Alone;
use super::rate::{FRACTION_BITS, Rate, Taken, Ticks};
use super::table::Table;

/// Tokens that should come within a window, for shares to mean something.
const TOKENS: u64 = 64;
/// The bounds of a window.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);
/// The part of the tokens that is shared out, so that the common bucket recovers: 31 of 32.
const SHARED_OUT: f64 = 31.0 / 32.0;
/// The part of the common bucket that is for those who used little.
const RESERVE: f64 = 0.25;

/// Requests of a key that are told apart one by one.
const EXACT: u32 = 32;
/// Requests of a key in a window that are counted at all.
const MOST: u32 = (1 << 24) - 1;
/// Levels of demand: up to [`EXACT`], then sixteen for each doubling up to [`MOST`].
const LEVELS: usize = 32 + 19 * 16;

/// A bucket and the keys that share it.
pub(super) struct Fair {
    total: Alone,
    own: Table,
    /// By the own buckets' places: the window (24 bits), 16 bits of the key and its requests (24 bits).
    demands: Box<[AtomicU64]>,
    /// Keys that reached a level of demand in this window.
    levels: [AtomicU32; LEVELS],
    /// Ticks of a window.
    length: u64,
    /// The window that is counted.
    window: AtomicU64,
    /// Ticks that one token of a key takes to come.
    interval: AtomicU64,
}

impl Fair {
    pub(super) fn new(rate: &Rate, max_keys: u32) -> Self {
        let ticks = |duration: Duration| u64::try_from(duration.as_nanos() << FRACTION_BITS).unwrap_or(u64::MAX);
        let own = Table::new(max_keys);
        Self {
            total: Alone(AtomicU64::new(0)),
            demands: (0..own.places()).map(|_| AtomicU64::new(0)).collect(),
            own,
            levels: [const { AtomicU32::new(0) }; LEVELS],
            length: rate.interval().saturating_mul(TOKENS).clamp(ticks(SHORTEST), ticks(LONGEST)),
            window: AtomicU64::new(0),
            interval: AtomicU64::new(rate.interval()),
        }
    }

    /// A key's own bucket.
    pub(super) fn share(&self, rate: &Rate) -> Rate {
        rate.slowed(self.interval.load(Relaxed))
    }

    /// Takes a token for the key, out of its own bucket and the common one.
    pub(super) fn take(&self, rate: &Rate, key: u64, now: Ticks) -> Taken {
        self.turn(rate, now);
        let share = self.share(rate);
        let taken = self.own.take(&share, key, now);
        self.count(key, now);
        let Taken::Granted { left, full_in, .. } = taken else { return taken };
        let owed = (full_in.as_nanos() << FRACTION_BITS) as f64 - share.interval() as f64;
        let reserved = RESERVE * owed.max(0.0) / share.depth() as f64 * rate.depth() as f64;
        match rate.take_before(&self.total.0, now, reserved as u64) {
            Taken::Granted { left: of_all, wait, .. } => Taken::Granted { left: left.min(of_all), full_in, wait },
            refused @ Taken::Refused { .. } => {
                self.own.give_back(&share, key);
                refused
            }
        }
    }

    /// Undoes what was granted.
    pub(super) fn give_back(&self, rate: &Rate, key: u64) {
        rate.give_back(&self.total.0);
        self.own.give_back(&self.share(rate), key);
    }

    fn count(&self, key: u64, now: Ticks) {
        let Some(demand) = self.own.place(key).and_then(|place| self.demands.get(place)) else { return };
        let this = (now.0 / self.length) << 40 | (key & 0xffff) << 24;
        let more = |known: u64| match known ^ this {
            same if same < u64::from(MOST) => Some(known + 1),
            full if full == u64::from(MOST) => None,
            _ => Some(this | 1),
        };
        let Ok(before) = demand.fetch_update(Relaxed, Relaxed, more) else { return };
        let requests = match before ^ this {
            same if same < u64::from(MOST) => same as u32 + 1,
            _ => 1,
        };
        if let Some(level) = level(requests).and_then(|level| self.levels.get(level)) {
            level.fetch_add(1, Relaxed);
        }
    }

    /// Where a window is over, decides the shares of the next one.
    fn turn(&self, rate: &Rate, now: Ticks) {
        let (window, before) = (now.0 / self.length, self.window.load(Relaxed));
        if window <= before || self.window.compare_exchange(before, window, AcqRel, Relaxed).is_err() {
            return;
        }
        let asked = self.levels.iter().map(|level| level.swap(0, Relaxed));
        let tokens = self.length as f64 / rate.interval() as f64 * SHARED_OUT;
        // Counts of an older window say nothing about the next.
        let filled = filled(asked, tokens).filter(|_| window == before + 1);
        let interval = filled.map_or(rate.interval(), |level| (self.length as f64 / level) as u64);
        self.interval.store(interval, Relaxed);
    }
}

/// The level up to which so many tokens fill the demands, by how many keys reached which level; `None`: all of them.
fn filled(asked: impl Iterator<Item = u32>, tokens: f64) -> Option<f64> {
    let (mut below, mut left) = (0.0, tokens);
    for (level, keys) in asked.enumerate() {
        let step = f64::from(step(level));
        if left < f64::from(keys) * step {
            return Some(below + left / f64::from(keys));
        }
        left -= f64::from(keys) * step;
        below += step;
    }
    None
}

/// The level that begins with the n-th request of a key, if one does.
fn level(requests: u32) -> Option<usize> {
    if requests <= EXACT {
        return (requests as usize).checked_sub(1);
    }
    // 33 is the first request of the steps of two: levels begin behind a whole number of steps.
    let steps = (requests - 1).ilog2() - 4;
    let begins = (requests - 1).trailing_zeros() >= steps;
    begins.then(|| 32 + (steps as usize - 1) * 16 + ((requests - 1) >> steps) as usize % 16)
}

/// Requests that a level stands for.
fn step(level: usize) -> u32 {
    level.checked_sub(32).map_or(1, |beyond| 2 << (beyond / 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000 << FRACTION_BITS;

    fn key(number: u64) -> u64 {
        (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// What each key is granted in `seconds` from the fifth second on, asking evenly so often a second.
    fn granted(rate: &Rate, asks: &[u64], seconds: u64) -> Vec<u64> {
        let fair = Fair::new(rate, 1_000);
        let mut all: Vec<(u64, u64)> = (0..)
            .zip(asks)
            .flat_map(|(who, asks)| {
                (0..asks * (seconds + 5)).map(move |turn| (turn * SECOND / asks + who * SECOND / 977, who))
            })
            .collect();
        all.sort_unstable();
        let mut counts = vec![0; asks.len()];
        for (at, who) in all {
            let taken = fair.take(rate, key(who), Ticks(SECOND + at));
            if matches!(taken, Taken::Granted { .. }) && at >= 5 * SECOND {
                counts[who as usize] += 1;
            }
        }
        counts
    }

    #[test]
    fn levels_follow_one_another_and_their_steps_add_up() {
        let mut next = 0;
        let mut sum = 0;
        for requests in 1..=100_000_u32 {
            if let Some(level) = level(requests) {
                assert_eq!((level, sum), (next, requests - 1));
                sum += step(level);
                next += 1;
            }
        }
        assert!(level(MOST).is_none_or(|level| level < LEVELS));
    }

    #[test]
    fn water_is_filled_to_one_level() {
        // Demands of 1, 3 and 100 share 10 tokens: 1, 3 and 6.
        let asked = [3, 2, 2].into_iter().chain([1; 97]);
        assert_eq!(filled(asked, 10.0), Some(6.0));
        assert_eq!(filled([3, 2].into_iter(), 5.0), None);
        assert_eq!(filled([20].into_iter(), 10.0), Some(0.5), "more keys than tokens");
    }

    #[test]
    fn one_that_asks_a_hundred_times_its_share_leaves_each_other_at_least_95_percent_of_its_own() {
        for (tokens, others) in [(50_u32, 9_u64), (1_000, 9), (10_000, 99)] {
            let rate = Rate::new(tokens, tokens, Duration::from_secs(1));
            let share = u64::from(tokens) / (others + 1);
            let asks: Vec<u64> = std::iter::once(share * 100).chain((0..others).map(|_| share)).collect();
            let counts = granted(&rate, &asks, 10);
            let least = counts[1..].iter().min().unwrap();
            assert!(least * 100 >= share * 10 * 95, "{tokens} tokens: {least} of {}", share * 10);
            assert!(counts[0] <= share * 11, "{tokens} tokens: {} for who asked too much", counts[0]);
        }
    }

    #[test]
    fn what_the_quiet_leave_is_for_whoever_asks() {
        let rate = Rate::new(1_000, 1_000, Duration::from_secs(1));
        let counts = granted(&rate, &[10, 50, 3_000, 9_000], 10);
        assert_eq!(counts[..2], [100, 500]);
        for count in &counts[2..] {
            assert!((4_300..=4_900).contains(count), "{counts:?}");
        }
        let alone = granted(&rate, &[5_000], 10)[0];
        assert!((9_600..=10_010).contains(&alone), "{alone}");
    }

    #[test]
    fn who_comes_newly_is_served_at_once_beside_one_who_takes_all() {
        let rate = Rate::new(100, 100, Duration::from_secs(1));
        let fair = Fair::new(&rate, 100);
        for turn in 0..10_000 {
            fair.take(&rate, key(1), Ticks(SECOND + turn * SECOND / 5_000));
        }
        let now = Ticks(3 * SECOND);
        let newcomer = (0..10).filter(|_| matches!(fair.take(&rate, key(2), now), Taken::Granted { .. })).count();
        assert_eq!(newcomer, 10);
    }

    #[test]
    fn threads_that_share_a_bucket_are_together_granted_no_more_than_it_holds() {
        let rate = Rate::new(200, 1, Duration::from_secs(3600));
        let fair = Fair::new(&rate, 100);
        let ask = |thread: u64| {
            let mut asks = 0..5_000_u64;
            asks.by_ref().filter(|turn| granted_at(&fair, &rate, thread * 10 + turn % 10)).count()
        };
        let total: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || ask(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!((150..=200).contains(&total), "{total}");
    }

    fn granted_at(fair: &Fair, rate: &Rate, number: u64) -> bool {
        matches!(fair.take(rate, key(number), Ticks(SECOND)), Taken::Granted { .. })
    }
}
