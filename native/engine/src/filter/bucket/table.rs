//! A bucket for each key, in bounded memory: 32 bytes for each key that there must be room for, taken at once.
//!
//! A key's hash names a set of sixteen places; each place is an owner and a bucket's word. A full bucket is worth
//! nothing (a new one is full too), so what makes room for a new key is the bucket of its set that is nearest to full,
//! of equals the oldest. A flood of new keys, each of them with one token taken, therefore pushes out one another and
//! what is nearly full, not the keys that are being limited.
//!
//! Taking from a known key is lock-free: read the word, see that the place still is the key's, swap the word. Places
//! change hands behind the lock of their shard, in three steps: reserved → word swapped → owned. Words only grow, so
//! a swap that meets another word than it read fails, on either side.
//!
//! Keys are known by a hash of 64 bits with a seed of the process: among 100,000 keys two share a bucket with a
//! probability of 3 in 10¹⁰, and nobody can look for such a pair from outside.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::rate::{Rate, Taken, Ticks};

/// Places of one set: two cache lines of owners, two of words.
const WAYS: usize = 16;
/// Locks for places that change hands.
const SHARDS: usize = 64;
/// Places for each key that was asked for: hashes do not fill sets evenly.
const ROOM: usize = 2;

/// No key: the place is changing hands. 0 is no key either: the place was never used.
const RESERVED: u64 = 1;

/// Buckets by key.
pub struct Table {
    sets: Box<[Set]>,
    shards: [Mutex<()>; SHARDS],
}

#[derive(Default)]
#[repr(align(64))]
struct Set {
    owners: [AtomicU64; WAYS],
    words: [AtomicU64; WAYS],
}

impl Table {
    /// A table with room for so many keys that are limited at the same time.
    pub fn new(max_keys: u32) -> Self {
        let sets = (max_keys as usize * ROOM).div_ceil(WAYS).max(1);
        Self { sets: (0..sets).map(|_| Set::default()).collect(), shards: [const { Mutex::new(()) }; SHARDS] }
    }

    /// Takes a token out of a key's bucket; an unknown key's is full.
    pub fn take(&self, rate: &Rate, key: u64, now: Ticks) -> Taken {
        let key = key.max(RESERVED + 1);
        let Some((set, shard)) = self.set(key) else { return rate.after(0, now).1 };
        loop {
            if let Some(taken) = set.take(rate, key, now) {
                return taken;
            }
            let _changing = shard.lock();
            if !set.owns(key)
                && let Some(taken) = set.enter(rate, key, now)
            {
                return taken;
            }
        }
    }

    /// Puts a token back into a key's bucket, if it still has one.
    pub fn give_back(&self, rate: &Rate, key: u64) {
        let key = key.max(RESERVED + 1);
        let Some((set, _)) = self.set(key) else { return };
        if let Some((_, word)) = set.places().find(|(owner, _)| owner.load(Ordering::Acquire) == key) {
            rate.give_back(word);
        }
    }

    /// Where a key's bucket stands among the [`Table::places`]; it may change hands at any time.
    pub(super) fn place(&self, key: u64) -> Option<usize> {
        let key = key.max(RESERVED + 1);
        let at = self.at(key);
        let way = self.sets.get(at)?.owners.iter().position(|owner| owner.load(Ordering::Relaxed) == key)?;
        Some(at * WAYS + way)
    }

    /// How many keys have a bucket at most.
    pub(super) fn places(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Bytes that the table holds.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.sets) + size_of_val(&self.shards)
    }

    /// The key's set.
    fn at(&self, key: u64) -> usize {
        // The high half of key × count is evenly spread below count.
        ((u128::from(key) * self.sets.len() as u128) >> 64) as usize
    }

    fn set(&self, key: u64) -> Option<(&Set, &Mutex<()>)> {
        let place = self.at(key);
        Some((self.sets.get(place)?, self.shards.get(place % SHARDS)?))
    }
}

impl Set {
    fn places(&self) -> impl Iterator<Item = (&AtomicU64, &AtomicU64)> {
        self.owners.iter().zip(&self.words)
    }

    fn owns(&self, key: u64) -> bool {
        self.owners.iter().any(|owner| owner.load(Ordering::Acquire) == key)
    }

    /// Takes from the key's bucket; `None` when it has none, or not any more.
    fn take(&self, rate: &Rate, key: u64, now: Ticks) -> Option<Taken> {
        let (owner, word) = self.places().find(|(owner, _)| owner.load(Ordering::Acquire) == key)?;
        loop {
            let full_at = word.load(Ordering::Acquire);
            if owner.load(Ordering::Acquire) != key {
                return None;
            }
            let (next, taken) = rate.after(full_at, now);
            let Some(next) = next else { return Some(taken) };
            if word.compare_exchange_weak(full_at, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Some(taken);
            }
        }
    }

    /// Gives a place to a key that has none. The shard's lock is held. `None`: the place was used just now, try again.
    fn enter(&self, rate: &Rate, key: u64, now: Ticks) -> Option<Taken> {
        let (owner, word) = self.places().min_by_key(|(_, word)| word.load(Ordering::Relaxed))?;
        let before = owner.swap(RESERVED, Ordering::AcqRel);
        let full_at = word.load(Ordering::Acquire);
        let (next, taken) = rate.after(0, now);
        let swapped = word.compare_exchange(full_at, next.unwrap_or(0), Ordering::AcqRel, Ordering::Relaxed).is_ok();
        owner.store(if swapped { key } else { before }, Ordering::Release);
        swapped.then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3600);

    fn granted(taken: Taken) -> bool {
        matches!(taken, Taken::Granted { .. })
    }

    /// Keys as hashes are: spread over all 64 bits. SplitMix64 (Steele et al. 2014).
    fn key(number: u64) -> u64 {
        let mixed = (number.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let (table, rate) = (Table::new(1_000), Rate::new(2, 1, HOUR));
        for number in 0..1_000 {
            let taken: Vec<bool> = (0..3).map(|_| granted(table.take(&rate, key(number), Ticks(1)))).collect();
            assert_eq!(taken, [true, true, false], "key {number}");
        }
    }

    #[test]
    fn the_keys_that_there_is_room_for_stay_limited() {
        let (table, rate) = (Table::new(10_000), Rate::new(1, 1, HOUR));
        (0..10_000).for_each(|number| assert!(granted(table.take(&rate, key(number), Ticks(1)))));
        let forgotten = (0..10_000).filter(|number| granted(table.take(&rate, key(*number), Ticks(1)))).count();
        assert!(forgotten < 100, "{forgotten} of 10,000 keys were forgotten");
    }

    #[test]
    fn a_flood_of_new_keys_does_not_free_one_that_is_limited() {
        let (table, rate) = (Table::new(1_000), Rate::new(10, 1, HOUR));
        let hot = key(u64::MAX);
        (0..10).for_each(|_| assert!(granted(table.take(&rate, hot, Ticks(1)))));
        let memory = table.memory();
        for number in 0..100_000 {
            assert!(granted(table.take(&rate, key(number), Ticks(2))));
        }
        assert!(!granted(table.take(&rate, hot, Ticks(3))));
        assert_eq!(table.memory(), memory);
        assert!(memory < 1_000 * 32 + 1_024, "{memory} bytes");
    }

    #[test]
    fn a_bucket_that_is_full_again_makes_room_first() {
        let (table, rate) = (Table::new(8), Rate::new(5, 1, Duration::from_secs(1)));
        let second = 64_000_000_000;
        (0..15).for_each(|number| assert!(granted(table.take(&rate, key(number), Ticks(100 * second)))));
        // Full again ten seconds later, while this one is being used up.
        let used = key(99);
        (0..5).for_each(|_| assert!(granted(table.take(&rate, used, Ticks(110 * second)))));
        (200..215).for_each(|number| assert!(granted(table.take(&rate, key(number), Ticks(110 * second)))));
        assert!(!granted(table.take(&rate, used, Ticks(110 * second))));
    }

    #[test]
    fn a_token_is_put_back_where_it_was_taken() {
        let (table, rate) = (Table::new(10), Rate::new(1, 1, HOUR));
        assert!(granted(table.take(&rate, key(1), Ticks(1))));
        table.give_back(&rate, key(2));
        assert!(!granted(table.take(&rate, key(1), Ticks(1))));
        table.give_back(&rate, key(1));
        assert!(granted(table.take(&rate, key(1), Ticks(1))));
    }

    #[test]
    fn threads_that_meet_at_new_and_known_keys_are_granted_exactly_the_tokens_there_are() {
        // 40 keys in a table with room for them, each asked for by every thread, while other keys come and go around
        // them: a key that owes tokens must keep its place.
        let (table, rate) = (Table::new(4_000), Rate::new(25, 1, HOUR));
        let work = |thread: u64| {
            let mut counts = [0_u32; 40];
            for turn in 0..400_u64 {
                for (number, count) in counts.iter_mut().enumerate() {
                    *count += u32::from(granted(table.take(&rate, key(number as u64), Ticks(1 + turn))));
                }
                let _passing = table.take(&rate, key(1_000_000 + thread * 1_000 + turn), Ticks(1 + turn));
            }
            counts
        };
        let mut sums = [0; 40];
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || work(thread))).collect();
            for thread in threads {
                let counts = thread.join().unwrap();
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        });
        assert_eq!(sums, [25; 40]);
    }
}
