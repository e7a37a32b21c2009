//! What stands behind an endpoint: places that work on one request each, a queue before them, and how it answers.

use std::collections::VecDeque;

use fastrand::Rng;

/// Requests that a service works on at once.
const PLACES: usize = 256;
/// It answers at the earliest after this.
const BASE_US: f64 = 5_000.0;
/// And after this much more on average, by chance (exponential).
const MEAN_US: f64 = 5_000.0;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Manner {
    /// As it should: 10 ms on average.
    Well,
    /// So many times as slowly.
    Slowly(f64),
    /// With 503, in half a millisecond.
    FailsFast,
    /// So many times as slowly at first, and as it should after so many seconds, evenly.
    Cold(f64, u32),
    /// Not at all.
    Silent,
}

/// What becomes of a request that it begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// An answer with this status after so many µs.
    Answers(u16, u64),
    /// Nothing, ever.
    Nothing,
}

/// A service and what it is doing.
pub struct Service {
    manner: Manner,
    /// It is asked for so many requests in all.
    pub asked: u32,
    since_us: u64,
    working: usize,
    waiting: VecDeque<u32>,
}

impl Service {
    /// One that begins now.
    pub fn new(manner: Manner, now_us: u64) -> Self {
        Self { manner, asked: 0, since_us: now_us, working: 0, waiting: VecDeque::new() }
    }

    /// It answers differently from now on. Who was silent begins anew: nobody waits there any more.
    pub fn becomes(&mut self, manner: Manner) {
        if self.manner == Manner::Silent {
            self.working = 0;
            self.waiting.clear();
        }
        self.manner = manner;
    }

    /// A request comes: it is begun with, or waits.
    pub fn comes(&mut self, request: u32, now_us: u64, random: &mut Rng) -> Option<Outcome> {
        self.asked += 1;
        if self.working >= PLACES {
            self.waiting.push_back(request);
            return None;
        }
        self.working += 1;
        Some(self.works(now_us, random))
    }

    /// A place is free again: the next one that waits, and what becomes of it.
    pub fn freed(&mut self, now_us: u64, random: &mut Rng) -> Option<(u32, Outcome)> {
        match self.waiting.pop_front() {
            Some(request) => Some((request, self.works(now_us, random))),
            None => {
                self.working = self.working.saturating_sub(1);
                None
            }
        }
    }

    fn works(&mut self, now_us: u64, random: &mut Rng) -> Outcome {
        let took = BASE_US - MEAN_US * (1.0 - random.f64()).ln();
        let times = |factor: f64| Outcome::Answers(200, (took * factor) as u64);
        match self.manner {
            Manner::Well => times(1.0),
            Manner::Slowly(factor) => times(factor),
            Manner::FailsFast => Outcome::Answers(503, 500),
            Manner::Cold(factor, seconds) => {
                let passed = (now_us - self.since_us) as f64 / 1e6 / f64::from(seconds);
                times(factor + (1.0 - factor) * passed.min(1.0))
            }
            Manner::Silent => Outcome::Nothing,
        }
    }
}
