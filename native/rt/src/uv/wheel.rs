//! The timers of one thread: a hierarchical wheel of 1 ms ticks (Varghese and Lauck, 1987, scheme 7).
//!
//! Six levels of 64 slots reach two years. A bitmap per level makes "what is next" and "what is due" independent of
//! how much time has passed. Entries are kept in a slab and linked by index; all operations are O(1).

#![allow(clippy::indexing_slicing, reason = "keys come from this file, levels and slots are masked")]

use std::task::Waker;

const LEVELS: usize = 6;
const SLOTS: u64 = 64;
const NONE: u32 = u32::MAX;
/// The list of entries that are due and not yet taken.
const DUE: usize = LEVELS * SLOTS as usize;
const NOWHERE: usize = DUE + 1;

/// Names an entry until it is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key(u32);

struct Entry {
    tick: u64,
    waker: Option<Waker>,
    /// The list it is in: `level * 64 + slot`, DUE or NOWHERE.
    list: usize,
    prev: u32,
    /// In a list, or in the list of free entries.
    next: u32,
}

pub(crate) struct Wheel {
    /// All entries due up to this tick have been moved to DUE.
    elapsed: u64,
    occupied: [u64; LEVELS],
    heads: [u32; DUE + 1],
    entries: Vec<Entry>,
    free: u32,
}

impl Wheel {
    pub(crate) fn new() -> Wheel {
        Wheel { elapsed: 0, occupied: [0; LEVELS], heads: [NONE; DUE + 1], entries: Vec::new(), free: NONE }
    }

    /// Sets an entry to wake `waker` at `tick`; a tick that has passed counts as the next one.
    pub(crate) fn insert(&mut self, tick: u64, waker: Waker) -> Key {
        let entry = Entry { tick, waker: Some(waker), list: NOWHERE, prev: NONE, next: NONE };
        let index = self.free;
        let key = if index == NONE {
            self.entries.push(entry);
            Key(self.entries.len() as u32 - 1)
        } else {
            self.free = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            Key(index)
        };
        self.place(key);
        key
    }

    /// Moves an entry, fired or not, to another tick and waker. Returns the waker it had: dropping one may run code
    /// that comes back here.
    #[must_use = "to be dropped when the wheel is no longer borrowed"]
    pub(crate) fn reset(&mut self, key: Key, tick: u64, waker: Waker) -> Option<Waker> {
        self.unlink(key);
        let entry = &mut self.entries[key.0 as usize];
        entry.tick = tick;
        let known = entry.waker.replace(waker);
        self.place(key);
        known
    }

    #[must_use = "to be dropped when the wheel is no longer borrowed"]
    pub(crate) fn remove(&mut self, key: Key) -> Option<Waker> {
        self.unlink(key);
        let entry = &mut self.entries[key.0 as usize];
        entry.next = self.free;
        self.free = key.0;
        entry.waker.take()
    }

    /// The waker of one entry that is due at `now`; to be called until there is none.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Waker> {
        loop {
            let due = self.heads[DUE];
            if due != NONE {
                self.unlink(Key(due));
                return self.entries[due as usize].waker.take();
            }
            match self.next_slot() {
                Some((level, slot, tick)) if tick <= now => self.open(level, slot, tick),
                _ => {
                    self.elapsed = self.elapsed.max(now);
                    return None;
                }
            }
        }
    }

    /// The tick at which `pop_due` has something to do; entries far away are looked at on the way.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        if self.heads[DUE] != NONE { Some(self.elapsed) } else { self.next_slot().map(|(_, _, tick)| tick) }
    }

    /// The first occupied slot. Lower levels come first: all of a level lies within one slot of the level above.
    fn next_slot(&self) -> Option<(usize, u64, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let width = 1u64 << (6 * level);
        let current = (self.elapsed / width) % SLOTS;
        let ahead = u64::from(self.occupied[level].rotate_right(current as u32).trailing_zeros());
        let slot = (current + ahead) % SLOTS;
        let round = self.elapsed - self.elapsed % (width * SLOTS);
        let mut tick = round + slot * width;
        // Only the highest level can wrap; on the others a slot behind us is empty.
        if tick <= self.elapsed && level == LEVELS - 1 {
            tick += width * SLOTS;
        }
        Some((level, slot, tick))
    }

    /// Time reaches a slot: its entries are due or go down a level.
    fn open(&mut self, level: usize, slot: u64, tick: u64) {
        self.elapsed = tick;
        let list = level * SLOTS as usize + slot as usize;
        let mut index = std::mem::replace(&mut self.heads[list], NONE);
        self.occupied[level] &= !(1 << slot);
        while index != NONE {
            let next = self.entries[index as usize].next;
            self.entries[index as usize].list = NOWHERE;
            if self.entries[index as usize].tick <= tick {
                self.link(Key(index), DUE);
            } else {
                self.place(Key(index));
            }
            index = next;
        }
    }

    fn place(&mut self, key: Key) {
        let entry = &mut self.entries[key.0 as usize];
        entry.tick = entry.tick.max(self.elapsed + 1);
        // The highest bit in which the tick differs from now names the level.
        let differing = (self.elapsed ^ entry.tick) | (SLOTS - 1);
        let level = ((63 - differing.leading_zeros() as usize) / 6).min(LEVELS - 1);
        let slot = (entry.tick >> (6 * level)) % SLOTS;
        self.occupied[level] |= 1 << slot;
        self.link(key, level * SLOTS as usize + slot as usize);
    }

    fn link(&mut self, key: Key, list: usize) {
        let head = std::mem::replace(&mut self.heads[list], key.0);
        if head != NONE {
            self.entries[head as usize].prev = key.0;
        }
        let entry = &mut self.entries[key.0 as usize];
        entry.list = list;
        entry.prev = NONE;
        entry.next = head;
    }

    fn unlink(&mut self, key: Key) {
        let Entry { list, prev, next, .. } = self.entries[key.0 as usize];
        if list == NOWHERE {
            return;
        }
        if next != NONE {
            self.entries[next as usize].prev = prev;
        }
        if prev != NONE {
            self.entries[prev as usize].next = next;
        } else {
            self.heads[list] = next;
            if next == NONE && list < DUE {
                self.occupied[list / SLOTS as usize] &= !(1 << (list % SLOTS as usize));
            }
        }
        self.entries[key.0 as usize].list = NOWHERE;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    struct Rings(AtomicU64);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A multiplicative generator (Knuth's MMIX); the seed is in the test's output when it fails.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }
    }

    #[test]
    fn entries_are_due_exactly_at_their_tick_whatever_happens_in_between() {
        for seed in 0..10 {
            let mut random = Random(seed);
            let mut wheel = Wheel::new();
            let mut now = 0;
            // What the wheel should hold: tick and bell by key.
            let mut model = BTreeMap::new();
            for _ in 0..3_000 {
                let span = [3, 70, 5_000, 400_000, 30_000_000_000][random.below(5) as usize];
                let tick = now + 1 + random.below(span);
                let known = model.keys().nth(random.below(model.len().max(1) as u64) as usize).copied();
                match (random.below(5), known) {
                    (0, Some(key)) => {
                        let bell: Arc<Rings> = Arc::new(Rings(AtomicU64::new(0)));
                        drop(wheel.reset(Key(key), tick, Waker::from(Arc::clone(&bell))));
                        model.insert(key, (tick, bell));
                    }
                    (1, Some(key)) => {
                        drop(wheel.remove(Key(key)));
                        model.remove(&key);
                    }
                    (2, _) => {
                        let next = wheel.next_tick();
                        let first = model
                            .values()
                            .filter(|(_, bell)| bell.0.load(Ordering::Relaxed) == 0)
                            .map(|entry| entry.0)
                            .min();
                        assert!(next <= first && next.is_some() == first.is_some(), "seed {seed}: {next:?} {first:?}");
                        now += random.below(span);
                        while let Some(waker) = wheel.pop_due(now) {
                            waker.wake();
                        }
                        for (tick, bell) in model.values() {
                            let rings = bell.0.load(Ordering::Relaxed);
                            assert_eq!(rings, u64::from(*tick <= now), "seed {seed}: tick {tick} at {now}");
                        }
                    }
                    _ => {
                        let bell = Arc::new(Rings(AtomicU64::new(0)));
                        let key = wheel.insert(tick, Waker::from(Arc::clone(&bell)));
                        assert!(model.insert(key.0, (tick, bell)).is_none(), "seed {seed}: a key given twice");
                    }
                }
            }
        }
    }
}
