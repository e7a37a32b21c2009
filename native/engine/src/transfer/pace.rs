//! A bound on how fast a body goes: bytes are earned by time, and no more are taken than were earned.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use weft_rt::Timer;

/// Bytes are let go in portions of what this time earns, so that a slow body trickles instead of coming in one piece.
const PORTIONS_PER_SECOND: u32 = 20;

/// How fast a body may go.
pub(super) struct Pace {
    bytes_per_second: u32,
    /// Since when bytes are earned.
    since: Instant,
    /// Bytes taken since then.
    taken: u64,
    timer: Timer,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u32, now: Instant) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), since: now, taken: 0, timer: Timer::new() }
    }

    /// Ready with the bytes that may be taken now, at least one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        loop {
            let now = weft_rt::now();
            match self.earned(now) {
                Ok(bytes) => return Poll::Ready(bytes),
                Err(at) => self.timer.set(Some(at)),
            }
            ready!(self.timer.poll_expired(cx));
        }
    }

    /// So many were taken.
    pub(super) fn take(&mut self, bytes: usize) {
        self.taken += bytes as u64;
    }

    /// What may be taken, or when there will be a portion.
    fn earned(&mut self, now: Instant) -> Result<usize, Instant> {
        let rate = u64::from(self.bytes_per_second);
        let portion = u64::from((self.bytes_per_second / PORTIONS_PER_SECOND).max(1));
        let micros = now.saturating_duration_since(self.since).as_micros();
        let earned = u64::try_from(micros * u128::from(rate) / 1_000_000).unwrap_or(u64::MAX);
        // A second's worth of silence is made up for, no more.
        self.taken = self.taken.max(earned.saturating_sub(rate));
        let free = earned.saturating_sub(self.taken);
        if free >= portion {
            return Ok(usize::try_from(free).unwrap_or(usize::MAX));
        }
        let due = u128::from(self.taken + portion) * 1_000_000;
        let due = due.div_ceil(u128::from(rate));
        Err(self.since + Duration::from_micros(u64::try_from(due).unwrap_or(u64::MAX / 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_follows_the_clock_and_silence_is_not_saved_up_for_long() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000, start);
        assert_eq!(pace.earned(start), Err(start + Duration::from_millis(50)));
        assert_eq!(pace.earned(start + Duration::from_millis(50)), Ok(50));
        pace.take(50);
        assert_eq!(pace.earned(start + Duration::from_millis(60)), Err(start + Duration::from_millis(100)));
        assert_eq!(pace.earned(start + Duration::from_secs(60)), Ok(1_000));
    }

    #[test]
    fn one_byte_a_second_is_a_pace_too() {
        let start = Instant::now();
        let mut pace = Pace::new(1, start);
        assert_eq!(pace.earned(start), Err(start + Duration::from_secs(1)));
        assert_eq!(pace.earned(start + Duration::from_secs(1)), Ok(1));
    }
}
