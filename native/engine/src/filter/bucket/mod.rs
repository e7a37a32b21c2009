//! Token buckets, exact over all workers of the process.
//!
//! A bucket is one word, the moment at which it will be full again (GCRA, ITU-T I.371 annex A), changed by one
//! compare-and-swap: [`rate`] has the arithmetic, [`table`] a bucket for each of many keys, [`fair`] one bucket that many
//! keys share, [`warm_up`] one whose tokens come slowly after a rest. Time is the monotonic clock,
//! so a wall clock that jumps neither fills nor empties a bucket.

mod fair;
mod rate;
mod table;
mod warm_up;

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use fair::Fair;
pub use rate::{Rate, Taken, Ticks};
pub use table::Table;
use warm_up::WarmUp;

/// The tokens behind one name: a single bucket, or one for each key.
pub struct Bucket {
    rate: Rate,
    began: Instant,
    words: Words,
}

enum Words {
    One(Alone),
    Keyed(Table),
    Fair(Box<Fair>),
    WarmUp(WarmUp),
}

/// A word that shares its cache line with nothing.
#[repr(align(64))]
struct Alone(AtomicU64);

impl Bucket {
    /// A bucket for everybody.
    pub fn shared(rate: Rate) -> Self {
        Self { rate, began: Instant::now(), words: Words::One(Alone(AtomicU64::new(0))) }
    }

    /// A bucket for each key, with room for `max_keys` keys that are limited at the same time.
    pub fn keyed(rate: Rate, max_keys: u32) -> Self {
        Self { rate, began: Instant::now(), words: Words::Keyed(Table::new(max_keys)) }
    }

    /// One bucket whose tokens are shared fairly by the keys that ask for them, with room for `max_keys` keys.
    pub fn fair(rate: Rate, max_keys: u32) -> Self {
        Self { rate, began: Instant::now(), words: Words::Fair(Box::new(Fair::new(&rate, max_keys))) }
    }

    /// A bucket for everybody that is cold at first and after each rest: see [`warm_up`].
    pub fn warming(rate: Rate, over: Duration, cold_factor: f64) -> Self {
        Self { rate, began: Instant::now(), words: Words::WarmUp(WarmUp::new(&rate, over, cold_factor)) }
    }

    /// Takes a token. `key` is a hash by [`Bucket::is_keyed`] buckets' own choice, and means nothing to a shared one.
    pub fn take(&self, key: u64, now: Instant) -> Taken {
        let now = Ticks::since(self.began, now);
        match &self.words {
            Words::One(word) => self.rate.take(&word.0, now),
            Words::Keyed(table) => table.take(&self.rate, key, now),
            Words::Fair(fair) => fair.take(&self.rate, key, now),
            Words::WarmUp(warm_up) => warm_up.take(&self.rate, now),
        }
    }

    /// Undoes a [`Bucket::take`] that was granted.
    pub fn give_back(&self, key: u64) {
        match &self.words {
            Words::One(word) => self.rate.give_back(&word.0),
            Words::Keyed(table) => table.give_back(&self.rate, key),
            Words::Fair(fair) => fair.give_back(&self.rate, key),
            Words::WarmUp(warm_up) => warm_up.give_back(&self.rate),
        }
    }

    /// Tokens when full; of a fair one, those of one key.
    pub fn tokens(&self) -> u32 {
        match &self.words {
            Words::Fair(fair) => fair.share(&self.rate).tokens(),
            Words::One(_) | Words::Keyed(_) | Words::WarmUp(_) => self.rate.tokens(),
        }
    }

    /// Whether keys share its tokens.
    pub fn is_fair(&self) -> bool {
        matches!(self.words, Words::Fair(_))
    }
}
