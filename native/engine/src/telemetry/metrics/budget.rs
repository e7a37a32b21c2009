//! How many series a proxy keeps, over all its workers.
//!
//! A worker asks only when it meets a series that is new to it; a known one costs nothing here.

use super::series::Key;
use parking_lot::Mutex;
use std::collections::HashMap;

/// The series that are kept, with the number of workers that hold each.
#[derive(Debug)]
pub struct SeriesBudget {
    most: usize,
    holders: Mutex<HashMap<Key, u32, foldhash::fast::FixedState>>,
}

impl SeriesBudget {
    /// At most so many series.
    pub fn new(most: usize) -> Self {
        Self { most, holders: Mutex::default() }
    }

    /// Asks to hold a series; no when it would be one too many.
    pub(super) fn take(&self, key: Key) -> bool {
        let mut holders = self.holders.lock();
        let full = holders.len() >= self.most;
        match holders.get_mut(&key) {
            Some(count) => *count += 1,
            None if full => return false,
            None => {
                holders.insert(key, 1);
            }
        }
        true
    }

    /// A holder lets go of a series.
    pub(super) fn give(&self, key: Key) {
        let mut holders = self.holders.lock();
        if let Some(count) = holders.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                holders.remove(&key);
            }
        }
    }
}
