//! A bucket that is cold at first and after each rest: its tokens come `cold_factor` times more slowly and reach their
//! speed within `over`, so that a service that was idle is not met by all at once.
//!
//! Guava's SmoothWarmingUp, which Sentinel's flow control follows: rest is stored, and as long as more of it is stored
//! than a threshold each token takes longer, in proportion. Two numbers change together, so a lock holds them; only
//! where a warm-up is configured.

use std::time::Duration;

use parking_lot::Mutex;

use super::rate::{FRACTION_BITS, Rate, Taken, Ticks, duration};

/// The state of such a bucket.
pub(super) struct WarmUp {
    /// Rest, in tokens, below which the bucket is warm.
    threshold: f64,
    /// Rest of a bucket that is all cold.
    most: f64,
    /// Ticks that one token takes longer for each token of rest above the threshold.
    slope: f64,
    /// Ticks of rest that store one token.
    cool_down: f64,
    state: Mutex<State>,
}

struct State {
    /// Rest, in tokens.
    stored: f64,
    /// When the bucket will be full.
    full_at: u64,
}

impl WarmUp {
    pub(super) fn new(rate: &Rate, over: Duration, cold_factor: f64) -> Self {
        let over = (over.as_nanos() << FRACTION_BITS) as f64;
        let stable = rate.interval() as f64;
        let cold = stable * cold_factor;
        let threshold = 0.5 * over / stable;
        let most = threshold + 2.0 * over / (stable + cold);
        let slope = (cold - stable) / (most - threshold);
        Self { threshold, most, slope, cool_down: over / most, state: Mutex::new(State { stored: most, full_at: 0 }) }
    }

    pub(super) fn take(&self, rate: &Rate, now: Ticks) -> Taken {
        let state = &mut *self.state.lock();
        if let Some(rest) = now.0.checked_sub(state.full_at) {
            state.stored = (state.stored + rest as f64 / self.cool_down).min(self.most);
            state.full_at = now.0;
        }
        let price = self.price(rate, state.stored);
        let (next, taken) = rate.priced(price, state.full_at, now);
        if let Some(next) = next {
            state.full_at = next;
            state.stored = (state.stored - 1.0).max(0.0);
        }
        taken
    }

    pub(super) fn give_back(&self, rate: &Rate) {
        let state = &mut *self.state.lock();
        state.stored = (state.stored + 1.0).min(self.most);
        state.full_at = state.full_at.saturating_sub(self.price(rate, state.stored));
    }

    /// Ticks that the next token takes: the middle of the slope between before and behind it.
    fn price(&self, rate: &Rate, stored: f64) -> u64 {
        let above = |stored: f64| (stored - self.threshold).max(0.0);
        let longer = self.slope * (above(stored) + above(stored - 1.0)) / 2.0;
        rate.interval().saturating_add(longer as u64)
    }
}

impl Rate {
    /// As [`Rate::after`] where this token takes so long to come.
    fn priced(&self, price: u64, full_at: u64, now: Ticks) -> (Option<u64>, Taken) {
        let next = full_at.max(now.0).saturating_add(price);
        let owed = next - now.0;
        let most = self.depth().max(price);
        if owed > most {
            return (None, Taken::Refused { wait: duration(owed - most) });
        }
        let left = u32::try_from((most - owed) / price.max(1)).unwrap_or(u32::MAX);
        (Some(next), Taken::Granted { left, full_in: duration(owed), wait: Duration::ZERO })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000 << FRACTION_BITS;

    /// How many of ten thousand requests, spread over the second that begins at `from`, are granted.
    fn in_second(warm_up: &WarmUp, rate: &Rate, from: u64) -> u32 {
        let turns = 0..10_000_u64;
        let granted = turns.filter(|turn| {
            let taken = warm_up.take(rate, Ticks(from + turn * SECOND / 10_000));
            matches!(taken, Taken::Granted { .. })
        });
        u32::try_from(granted.count()).unwrap()
    }

    #[test]
    fn a_cold_bucket_begins_at_a_third_and_is_at_full_speed_after_its_time() {
        let rate = Rate::new(1, 300, Duration::from_secs(1));
        let warm_up = WarmUp::new(&rate, Duration::from_secs(10), 3.0);
        let seconds: Vec<u32> = (1..=14).map(|second| in_second(&warm_up, &rate, second * SECOND)).collect();
        assert!((95..=115).contains(&seconds[0]), "{seconds:?}");
        assert!(seconds.windows(2).all(|pair| pair[0] <= pair[1] + 2), "it only gets faster: {seconds:?}");
        assert!(seconds[8] < 290, "{seconds:?}");
        assert!(seconds[11..].iter().all(|count| (290..=301).contains(count)), "{seconds:?}");
    }

    #[test]
    fn after_a_rest_it_is_cold_again_and_after_a_short_one_lukewarm() {
        let rate = Rate::new(1, 300, Duration::from_secs(1));
        let warm_up = WarmUp::new(&rate, Duration::from_secs(4), 3.0);
        (1..=10).for_each(|second| _ = in_second(&warm_up, &rate, second * SECOND));
        let lukewarm = in_second(&warm_up, &rate, 14 * SECOND);
        assert!((120..290).contains(&lukewarm), "{lukewarm}");
        (15..=30).for_each(|second| _ = in_second(&warm_up, &rate, second * SECOND));
        let cold = in_second(&warm_up, &rate, 100 * SECOND);
        assert!((95..=130).contains(&cold), "{cold}");
    }

    #[test]
    fn a_token_that_is_put_back_can_be_taken_again() {
        let rate = Rate::new(1, 1, Duration::from_secs(1));
        let warm_up = WarmUp::new(&rate, Duration::from_secs(4), 3.0);
        let now = Ticks(SECOND);
        assert!(matches!(warm_up.take(&rate, now), Taken::Granted { .. }));
        assert!(matches!(warm_up.take(&rate, now), Taken::Refused { .. }));
        warm_up.give_back(&rate);
        assert!(matches!(warm_up.take(&rate, now), Taken::Granted { .. }));
    }
}
