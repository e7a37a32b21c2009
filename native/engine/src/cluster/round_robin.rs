//! Round robin: each endpoint in turn, over all workers.

use std::sync::atomic::{AtomicU32, Ordering};

/// The next index below `count`; `None` when there is none. A single endpoint costs no shared write.
pub(super) fn next(turn: &AtomicU32, count: usize) -> Option<usize> {
    match count {
        0 => None,
        1 => Some(0),
        _ => Some(turn.fetch_add(1, Ordering::Relaxed) as usize % count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_gets_the_same_share() {
        let turn = AtomicU32::new(7);
        let mut hits = [0_u32; 3];
        for _ in 0..300 {
            hits[next(&turn, 3).unwrap()] += 1;
        }
        assert_eq!(hits, [100, 100, 100]);
    }

    #[test]
    fn an_empty_cluster_has_no_endpoint() {
        assert_eq!(next(&AtomicU32::new(0), 0), None);
    }
}
