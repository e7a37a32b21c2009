//! Which tokens were seen already, so that a recorded one cannot be used again.
//!
//! Each issuer numbers its tokens, so one bit for each number does (the idea of RFC 4303 section 3.4.3). Numbers far
//! below the highest ones count as seen: their bits are forgotten. What is older than the window of time is refused before
//! it comes here, so an issuer that was silent for longer can be forgotten.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt};

/// Words of one block of bits.
const WORDS: usize = 64;
const BLOCK_BITS: u64 = WORDS as u64 * 64;
/// Blocks of one issuer: a million tokens, 128 KiB.
const MAX_BLOCKS: usize = 256;
/// Issuers remembered at the same time.
const MAX_ISSUERS: usize = 4_096;

/// The tokens of all issuers.
pub(super) struct Seen {
    issuers: HashMap<u64, Numbers>,
    /// Silence after which an issuer is forgotten, ms.
    silence_ms: u64,
}

#[derive(Default)]
struct Numbers {
    blocks: BTreeMap<u64, Box<[u64; WORDS]>>,
    /// Blocks below this one are forgotten.
    floor: u64,
    last_ms: u64,
}

impl Seen {
    pub(super) fn new(silence_ms: u64) -> Self {
        Self { issuers: HashMap::new(), silence_ms }
    }

    /// Sees a token; false: it was seen before.
    pub(super) fn is_new(&mut self, issuer: u64, number: u64, unix_ms: u64) -> bool {
        if !self.issuers.contains_key(&issuer) {
            self.make_room(unix_ms);
        }
        let numbers = self.issuers.entry(issuer).or_default();
        numbers.last_ms = numbers.last_ms.max(unix_ms);
        numbers.take(number)
    }

    fn make_room(&mut self, unix_ms: u64) {
        let earliest = unix_ms.saturating_sub(self.silence_ms);
        self.issuers.retain(|_, numbers| numbers.last_ms >= earliest);
        if self.issuers.len() >= MAX_ISSUERS {
            let stalest = self.issuers.iter().min_by_key(|(_, numbers)| numbers.last_ms).map(|(issuer, _)| *issuer);
            stalest.map(|issuer| self.issuers.remove(&issuer));
        }
    }
}

impl Numbers {
    fn take(&mut self, number: u64) -> bool {
        let (block, bit) = (number / BLOCK_BITS, number % BLOCK_BITS);
        if block < self.floor {
            return false;
        }
        let words = self.blocks.entry(block).or_insert_with(|| Box::new([0; WORDS]));
        let Some(word) = words.get_mut((bit / 64) as usize) else { return false };
        let mask = 1 << (bit % 64);
        let new = *word & mask == 0;
        *word |= mask;
        if self.blocks.len() > MAX_BLOCKS
            && let Some((lowest, _)) = self.blocks.pop_first()
        {
            self.floor = lowest + 1;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_far_below_the_highest_count_as_seen() {
        let mut seen = Seen::new(1_000);
        assert!(seen.is_new(1, 5, 0) && !seen.is_new(1, 5, 0) && seen.is_new(2, 5, 0));
        for block in 0..=MAX_BLOCKS as u64 {
            seen.is_new(1, block * BLOCK_BITS + 7, 0);
        }
        assert!(!seen.is_new(1, 6, 0), "its bit is forgotten");
        assert!(seen.is_new(1, BLOCK_BITS + 8, 0), "late, but not too late");
    }

    #[test]
    fn an_issuer_that_was_silent_makes_room_and_the_stalest_one_when_there_is_none() {
        let mut seen = Seen::new(1_000);
        seen.is_new(1, 0, 0);
        seen.is_new(2, 0, 500);
        seen.is_new(3, 0, 1_200);
        assert_eq!(seen.issuers.len(), 2);
        for issuer in 0..2 * MAX_ISSUERS as u64 {
            seen.is_new(10 + issuer, 0, 1_300);
        }
        assert!(seen.issuers.len() <= MAX_ISSUERS);
    }

    proptest! {
        #[test]
        fn a_number_is_new_exactly_once(numbers in prop::collection::vec(0_u64..20_000, 1..300)) {
            let mut seen = Seen::new(1_000);
            let mut known = std::collections::HashSet::new();
            for number in numbers {
                prop_assert_eq!(seen.is_new(1, number, 0), known.insert(number));
            }
        }
    }
}
