//! Token buckets, exact over all workers of the process.
//!
//! A bucket is one word, the moment at which it will be full again (GCRA, ITU-T I.371 annex A), changed by one
//! compare-and-swap: [`rate`] has the arithmetic, [`table`] a bucket for each of many keys. Time is the monotonic clock,
//! so a wall clock that jumps neither fills nor empties a bucket.

mod rate;
mod table;

use std::sync::atomic::AtomicU64;
use std::time::Instant;

pub use rate::{Rate, Taken, Ticks};
pub use table::Table;

/// The tokens behind one name: a single bucket, or one for each key.
pub struct Bucket {
    rate: Rate,
    began: Instant,
    words: Words,
}

enum Words {
    One(Alone),
    Keyed(Table),
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

    /// Takes a token. `key` is a hash by [`Bucket::is_keyed`] buckets' own choice, and means nothing to a shared one.
    pub fn take(&self, key: u64, now: Instant) -> Taken {
        let now = Ticks::since(self.began, now);
        match &self.words {
            Words::One(word) => self.rate.take(&word.0, now),
            Words::Keyed(table) => table.take(&self.rate, key, now),
        }
    }

    /// Undoes a [`Bucket::take`] that was granted.
    pub fn give_back(&self, key: u64) {
        match &self.words {
            Words::One(word) => self.rate.give_back(&word.0),
            Words::Keyed(table) => table.give_back(&self.rate, key),
        }
    }

    /// Tokens when full.
    pub fn tokens(&self) -> u32 {
        self.rate.tokens()
    }
}
