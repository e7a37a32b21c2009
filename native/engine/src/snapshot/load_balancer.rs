//! How a cluster's endpoint is chosen: the policies and their settings.

use serde::{Deserialize, Serialize};

use super::TableKind;

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(tag = "policy", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum LoadBalancer {
    /// Each in turn, by weight.
    RoundRobin {
        /// How endpoints that come begin.
        slow_start: Option<SlowStart>,
    },
    /// By chance, by weight.
    Random {},
    /// Of some drawn by chance, the one with the fewest requests under way.
    LeastRequest {
        /// How many are drawn.
        choices: u8,
        /// All are compared instead.
        full_scan: bool,
        /// None: the least busy per weight takes it. Else chance does, by weight over one more than the requests under
        /// way to this power; 0 regards the weights only.
        active_request_bias: Option<f32>,
        /// How endpoints that come begin.
        slow_start: Option<SlowStart>,
    },
    /// Of some drawn by chance, the one with the least latency times requests under way.
    PeakEwma {
        /// How many are drawn.
        choices: u8,
        /// In which a latency that was seen loses all but 1/e of its weight, ms.
        decay_ms: u32,
        /// What an endpoint counts as before it was heard of, ms.
        default_rtt_ms: u32,
        /// What a failure counts as at least, ms.
        penalty_ms: u32,
        /// How endpoints that come begin.
        slow_start: Option<SlowStart>,
    },
    /// The one that follows the key's hash on a ring of hashes.
    RingHash {
        /// Least hashes on the ring.
        min_ring: u32,
        /// Most hashes on the ring.
        max_ring: u32,
        /// Most requests under way at an endpoint, in percent of its even share; none: no bound.
        bounded_load: Option<u32>,
    },
    /// The one at the key's place in a table.
    Maglev {
        /// Places, a prime number.
        table_size: u32,
        /// Most requests under way at an endpoint, in percent of its even share; none: no bound.
        bounded_load: Option<u32>,
    },
}

impl LoadBalancer {
    /// What it looks keys up in.
    pub fn table(&self) -> TableKind {
        match *self {
            Self::RingHash { min_ring, max_ring, .. } => TableKind::Ring { min: min_ring, max: max_ring },
            Self::Maglev { table_size, .. } => TableKind::Maglev { size: table_size },
            Self::RoundRobin { .. } | Self::Random {} | Self::LeastRequest { .. } | Self::PeakEwma { .. } => {
                TableKind::None
            }
        }
    }

    /// How endpoints that come begin.
    pub fn slow_start(&self) -> Option<SlowStart> {
        match *self {
            Self::RoundRobin { slow_start }
            | Self::LeastRequest { slow_start, .. }
            | Self::PeakEwma { slow_start, .. } => slow_start,
            Self::Random {} | Self::RingHash { .. } | Self::Maglev { .. } => None,
        }
    }

    /// Most requests under way at an endpoint, in percent of its even share.
    pub fn bounded_load(&self) -> Option<u32> {
        match *self {
            Self::RingHash { bounded_load, .. } | Self::Maglev { bounded_load, .. } => bounded_load,
            _ => None,
        }
    }

    /// Whether a request's key chooses.
    pub fn hashes(&self) -> bool {
        self.table() != TableKind::None
    }
}

/// How an endpoint that comes gets to its whole share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlowStart {
    /// Until it has it, ms.
    pub window_ms: u32,
    /// 1: evenly; more: sooner; less: later.
    pub aggression: f32,
    /// What it begins with, percent of its share.
    pub min_weight_percent: f32,
}
