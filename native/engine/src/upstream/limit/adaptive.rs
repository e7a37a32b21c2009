//! A bound on the requests of a cluster that follows its latency: Envoy's gradient controller, after Netflix's
//! concurrency limits (`source/extensions/filters/http/adaptive_concurrency/controller`).
//!
//! Flow: each request takes a place below the bound and tells how long its answer's head took → at the end of a window
//! bound = gradient × bound + √(gradient × bound), gradient = (shortest + buffer) / sampled latency, between ½ and 2.
//! The shortest latency is what requests take while no more than `min_limit` of them are under way: it is measured at
//! first, then again once an interval, and when the bound has stood at its least for five windows.
//!
//! Invariants: the bound holds exactly over all workers; whoever ends a window does it for all of them, and nobody waits
//! for him; a request that fails, or whose client leaves, says nothing about latency.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Instant;

use parking_lot::Mutex;

use super::counter::{Counter, Held};
use super::padded::Padded;
use crate::error::{Error, Kind};
use crate::snapshot::{AdaptiveConcurrency, GenerationCluster};
use crate::telemetry::metrics::{Bins, Latency};

/// Windows in a row at the least bound after which the shortest latency is measured anew: it may have risen.
const LEAST_WINDOWS: u32 = 5;

/// The adaptive bound of a cluster in one generation.
pub struct Adaptive {
    /// As configured.
    pub settings: AdaptiveConcurrency,
    /// What outlives generations.
    pub state: Arc<AdaptiveState>,
}

/// What all workers share.
pub struct AdaptiveState {
    requests: Padded<Counter>,
    began: Instant,
    /// In force; 0 before the first one.
    bound: AtomicU32,
    /// When the window ends, µs since `began`.
    ends_us: AtomicU64,
    /// Answers with which it ends.
    ends_with: AtomicU32,
    /// Requests from before this moment say nothing about the window, µs since `began`.
    counts_from_us: AtomicU64,
    answers: AtomicU32,
    latencies: Latency,
    gradient: Mutex<Gradient>,
}

impl Default for AdaptiveState {
    fn default() -> Self {
        Self {
            requests: Padded::default(),
            began: weft_rt::now(),
            bound: AtomicU32::new(0),
            ends_us: AtomicU64::new(0),
            ends_with: AtomicU32::new(1),
            counts_from_us: AtomicU64::new(0),
            answers: AtomicU32::new(0),
            latencies: Latency::default(),
            gradient: Mutex::default(),
        }
    }
}

/// A request below the bound, until it is dropped.
pub struct Adapting<'a> {
    adaptive: &'a Adaptive,
    began: Instant,
    _place: Held<'a>,
}

/// A place below the cluster's adaptive bound; `None` where it has none.
#[inline]
pub fn adapt(cluster: &GenerationCluster) -> Result<Option<Adapting<'_>>, Error> {
    cluster.limits.adaptive.as_ref().map(|adaptive| adaptive.enter(weft_rt::now())).transpose()
}

impl Adaptive {
    /// How many requests may be under way now.
    pub fn bound(&self) -> u32 {
        let AdaptiveConcurrency { min_limit, max_limit, .. } = self.settings;
        self.state.bound.load(Relaxed).clamp(min_limit, max_limit.max(min_limit))
    }

    /// How many are.
    pub fn held(&self) -> u32 {
        self.state.requests.held()
    }

    /// A place for a request that begins now.
    pub fn enter(&self, now: Instant) -> Result<Adapting<'_>, Error> {
        let place = self.state.requests.take(|_| self.bound());
        let place = place.ok_or(Error::new(
            Kind::ConcurrencyLimited,
            "the cluster has as many requests under way as its latency allows",
        ))?;
        Ok(Adapting { adaptive: self, began: now, _place: place })
    }

    fn answered(&self, began: Instant, now: Instant) {
        let state = &*self.state;
        let since = |moment: Instant| micros(moment.saturating_duration_since(state.began).as_micros());
        if since(began) < state.counts_from_us.load(Relaxed) {
            return;
        }
        let took = now.saturating_duration_since(began).as_micros();
        state.latencies.count_shared(u32::try_from(took).unwrap_or(u32::MAX));
        let answers = state.answers.fetch_add(1, Relaxed) + 1;
        let is_over = || since(now) >= state.ends_us.load(Relaxed) || answers >= state.ends_with.load(Relaxed);
        if is_over()
            && let Some(mut gradient) = state.gradient.try_lock()
            && is_over()
        {
            let window = gradient.turn(&self.settings, since(now), &state.latencies, fastrand::f64());
            state.bound.store(window.bound, Relaxed);
            state.counts_from_us.store(window.counts_from_us, Relaxed);
            state.ends_us.store(window.ends_us, Relaxed);
            state.ends_with.store(window.ends_with, Relaxed);
            if window.is_new {
                state.answers.store(0, Relaxed);
            }
        }
    }
}

impl Adapting<'_> {
    /// The head of the request's answer is here.
    pub fn answered(&self) {
        self.adaptive.answered(self.began, weft_rt::now());
    }
}

/// The controller: what it decides depends on nothing but what it is told.
struct Gradient {
    bound: u32,
    shortest_us: f64,
    measuring: bool,
    /// When it measures next.
    measure_us: u64,
    /// Windows in a row that ended at the least bound.
    at_least: u32,
    counts_from_us: u64,
}

impl Default for Gradient {
    fn default() -> Self {
        Self { bound: 0, shortest_us: 0.0, measuring: true, measure_us: 0, at_least: 0, counts_from_us: 0 }
    }
}

/// What is in force until the next turn.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    bound: u32,
    ends_us: u64,
    ends_with: u32,
    counts_from_us: u64,
    /// Answers are counted from the beginning.
    is_new: bool,
}

impl Gradient {
    /// A window may be over. `random` is between 0 and 1.
    fn turn(&mut self, settings: &AdaptiveConcurrency, now_us: u64, latencies: &Latency, random: f64) -> Window {
        self.bound = self.bound.clamp(settings.min_limit, settings.max_limit.max(settings.min_limit));
        if self.measuring {
            let mut seen = Bins::default();
            seen.add(latencies);
            if seen.count() < u64::from(settings.min_rtt_requests) {
                return self.measure(settings, false);
            }
            self.shortest_us = latencies.drain().percentile(settings.percentile) as f64;
            self.measuring = false;
            let longer = 1.0 + random * f64::from(settings.min_rtt_jitter_percent) / 100.0;
            self.measure_us = now_us + (ms(settings.min_rtt_interval_ms) as f64 * longer) as u64;
            return self.follow(settings, now_us);
        }
        let sampled = latencies.drain();
        if !sampled.is_empty() {
            let before = self.bound;
            self.bound = self.next(settings, sampled.percentile(settings.percentile) as f64);
            let is_least = before.max(self.bound) == settings.min_limit;
            self.at_least = if is_least { self.at_least + 1 } else { 0 };
        }
        if now_us >= self.measure_us || self.at_least >= LEAST_WINDOWS {
            self.measuring = true;
            self.at_least = 0;
            self.counts_from_us = now_us;
            return self.measure(settings, true);
        }
        self.follow(settings, now_us)
    }

    fn next(&self, settings: &AdaptiveConcurrency, sampled_us: f64) -> u32 {
        let allowed = self.shortest_us * (1.0 + f64::from(settings.buffer_percent) / 100.0);
        let gradient = (allowed / sampled_us.max(1.0)).clamp(0.5, 2.0);
        let kept = f64::from(self.bound) * gradient;
        let bound = (kept + kept.sqrt()) as u32;
        bound.clamp(settings.min_limit, settings.max_limit.max(settings.min_limit))
    }

    /// The bound is pinned to its least until enough was seen.
    fn measure(&self, settings: &AdaptiveConcurrency, is_new: bool) -> Window {
        let (bound, ends_with) = (settings.min_limit, settings.min_rtt_requests);
        Window { bound, ends_us: u64::MAX, ends_with, counts_from_us: self.counts_from_us, is_new }
    }

    fn follow(&self, settings: &AdaptiveConcurrency, now_us: u64) -> Window {
        let ends_us = now_us + ms(settings.interval_ms);
        let counts_from_us = self.counts_from_us;
        Window { bound: self.bound, ends_us, ends_with: u32::MAX, counts_from_us, is_new: true }
    }
}

fn ms(ms: u32) -> u64 {
    u64::from(ms) * 1_000
}

fn micros(us: u128) -> u64 {
    u64::try_from(us).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;

    fn settings() -> AdaptiveConcurrency {
        AdaptiveConcurrency {
            min_limit: 3,
            max_limit: 1_000,
            percentile: 50,
            interval_ms: 100,
            min_rtt_interval_ms: 60_000,
            min_rtt_jitter_percent: 15,
            min_rtt_requests: 50,
            buffer_percent: 25,
        }
    }

    /// An upstream with so many places and requests that take 10 ms there, asked by more clients than it serves, in
    /// virtual time: the bounds in force at the end of each second.
    fn run(adaptive: &Adaptive, places: f64, clients: u32, seconds: u64) -> Vec<u32> {
        let began = adaptive.state.began;
        let mut bounds = Vec::new();
        let mut now = 0;
        for second in 0..seconds {
            while now < (second + 1) * 1_000_000 {
                // All that may be are under way; each takes its turn among those before it.
                let under_way = clients.min(adaptive.bound());
                let took = (10_000.0 * (f64::from(under_way) / places).max(1.0)) as u64;
                for _ in 0..under_way {
                    let since = |us| began + Duration::from_micros(us);
                    adaptive.answered(since(now), since(now + took));
                }
                now += took;
            }
            bounds.push(adaptive.bound());
        }
        bounds
    }

    #[test]
    fn the_bound_follows_what_the_endpoint_can_do_up_and_down() {
        let adaptive = Adaptive { settings: settings(), state: Arc::default() };
        assert_eq!(adaptive.bound(), 3, "pinned while the shortest latency is measured");
        let bounds = run(&adaptive, 50.0, 500, 20);
        let settled = &bounds[10..];
        assert!(settled.iter().all(|bound| (50..=110).contains(bound)), "{bounds:?}");
        let more = Adaptive { settings: settings(), state: Arc::default() };
        assert!(run(&more, 400.0, 2_000, 20)[10..].iter().all(|bound| *bound > 400), "as many as it can do");
        let idle = Adaptive { settings: settings(), state: Arc::default() };
        assert_eq!(run(&idle, 50.0, 2, 20).last(), Some(&1_000), "nothing speaks against more");
    }

    #[test]
    fn measurements_come_again_with_jitter_and_at_once_when_the_bound_stays_at_its_least() {
        let (settings, latencies) = (settings(), Latency::default());
        let answer = |us: u32, count: u32| (0..count).for_each(|_| latencies.count_shared(us));
        let mut gradient = Gradient::default();
        answer(1_000, 49);
        assert_eq!(gradient.turn(&settings, 0, &latencies, 1.0).ends_with, 50, "still measuring");
        answer(1_000, 1);
        let window = gradient.turn(&settings, 0, &latencies, 1.0);
        assert_eq!((window.bound, window.ends_us, gradient.measure_us), (3, 100_000, 69_000_000));
        for turn in 1..=5 {
            answer(100_000, 10);
            let window = gradient.turn(&settings, turn * 100_000, &latencies, 0.5);
            assert_eq!((window.bound, gradient.measuring), (3, turn == 5));
        }
        assert_eq!(gradient.counts_from_us, 500_000, "what began before is not measured");
        answer(100_000, 50);
        gradient.turn(&settings, 600_000, &latencies, 0.0);
        answer(100_000, 10);
        assert_eq!(gradient.turn(&settings, 700_000, &latencies, 0.0).bound, 5, "that is how long it takes now");
        assert!(gradient.turn(&settings, 60_700_000, &latencies, 0.0).ends_us == u64::MAX, "once an interval");
    }

    #[test]
    fn requests_that_come_at_once_on_four_threads_get_exactly_as_many_places_as_the_bound() {
        let adaptive = Adaptive { settings: settings(), state: Arc::default() };
        adaptive.state.bound.store(100, Relaxed);
        let (start, end, admitted) = (Barrier::new(4), Barrier::new(4), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    let held: Vec<_> = (0..2_500).filter_map(|_| adaptive.enter(Instant::now()).ok()).collect();
                    admitted.fetch_add(held.len(), Relaxed);
                    end.wait();
                });
            }
        });
        assert_eq!((admitted.into_inner(), adaptive.held()), (100, 0));
    }
}
