//! One series: exchanges with the same listener, route, cluster, status and flag.

use super::increase;
use super::latency::Latency;
use super::names::Ids;
use crate::telemetry::flags::Flag;
use crate::telemetry::record::{NONE, Record};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Upper bounds of the duration buckets, those of Istio, in µs.
pub const DURATION_BOUNDS_US: [u32; 19] = [
    500,
    1_000,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
];

/// The bounds and the bucket above the last one.
pub const BUCKETS: usize = DURATION_BOUNDS_US.len() + 1;

/// Upper bounds of the buckets of bodies, in bytes: powers of four, the first of them for bodies that are empty.
pub const SIZE_BOUNDS: [u64; 12] =
    [0, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456];

/// The bounds and the bucket above the last one.
pub const SIZE_BUCKETS: usize = SIZE_BOUNDS.len() + 1;

/// Ids of listener, route and cluster, status (10 bits) and flag (6 bits) in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    /// Where exchanges beyond the budget of series are counted. No record has it: the flag is out of the list.
    pub(super) const OTHER: Self = Self(u64::MAX);

    pub(super) fn of(record: &Record, ids: &Ids) -> Self {
        let status = u64::from(record.status.min(0x3ff));
        let words = [ids.listener(record.listener), ids.route(record.route), ids.cluster(record.cluster)];
        let ids = words.into_iter().fold(0, |key, id| key << 16 | u64::from(id)) << 16;
        Self(ids | status << 6 | record.flag as u64)
    }

    pub(super) fn route(self) -> u16 {
        (self.0 >> 32) as u16
    }

    fn flag(self) -> Flag {
        Flag::ALL.get((self.0 & 0x3f) as usize).copied().unwrap_or_default()
    }
}

/// The numbers of one series. Written by one thread.
#[derive(Debug)]
pub(super) struct Series {
    key: Key,
    /// When it last counted something, µs since 1970.
    touched_us: AtomicU64,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    duration_us: AtomicU64,
    /// Exchanges by duration, each counted once; their sum is the number of requests.
    buckets: [AtomicU64; BUCKETS],
    request_sizes: [AtomicU64; SIZE_BUCKETS],
    response_sizes: [AtomicU64; SIZE_BUCKETS],
    /// The route's, shared with the route's other series.
    latency: Arc<Latency>,
}

impl Series {
    pub(super) fn new(key: Key, latency: Arc<Latency>) -> Self {
        Self {
            key,
            touched_us: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            duration_us: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            request_sizes: [const { AtomicU64::new(0) }; SIZE_BUCKETS],
            response_sizes: [const { AtomicU64::new(0) }; SIZE_BUCKETS],
            latency,
        }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    pub(super) fn observe(&self, record: &Record) {
        self.touched_us.store(record.start_unix_us + u64::from(record.total_us), Relaxed);
        increase(&self.request_bytes, record.request_bytes);
        increase(&self.response_bytes, record.response_bytes);
        increase(&self.duration_us, u64::from(record.total_us));
        let bucket = DURATION_BOUNDS_US.iter().position(|bound| record.total_us <= *bound).unwrap_or(BUCKETS - 1);
        if let Some(count) = self.buckets.get(bucket) {
            increase(count, 1);
        }
        count_size(&self.request_sizes, record.request_bytes);
        count_size(&self.response_sizes, record.response_bytes);
        self.latency.count(record.total_us);
    }

    /// Nothing was counted since then.
    pub(super) fn is_idle_since(&self, unix_us: u64) -> bool {
        self.touched_us.load(Relaxed) < unix_us
    }

    /// Takes over the numbers of a worker that has ended; not its latency, which is shared with other series.
    pub(super) fn absorb(&self, ended: &Self) {
        self.touched_us.fetch_max(ended.touched_us.load(Relaxed), Relaxed);
        let numbers = |series: &Self| -> [u64; 3] {
            [&series.request_bytes, &series.response_bytes, &series.duration_us].map(|number| number.load(Relaxed))
        };
        let [request_bytes, response_bytes, duration_us] = numbers(ended);
        increase(&self.request_bytes, request_bytes);
        increase(&self.response_bytes, response_bytes);
        increase(&self.duration_us, duration_us);
        let mine = self.buckets.iter().chain(&self.request_sizes).chain(&self.response_sizes);
        let more = ended.buckets.iter().chain(&ended.request_sizes).chain(&ended.response_sizes);
        mine.zip(more).for_each(|(count, more)| increase(count, more.load(Relaxed)));
    }
}

/// The bucket is found by the number of bits: bound n is 4^(n + 3).
#[inline]
fn count_size(buckets: &[AtomicU64; SIZE_BUCKETS], bytes: u64) {
    let place = match bytes.checked_sub(1) {
        None => 0,
        Some(below) => ((64 - (below >> 8).leading_zeros()) as usize).div_ceil(2) + 1,
    };
    if let Some(count) = buckets.get(place.min(SIZE_BUCKETS - 1)) {
        increase(count, 1);
    }
}

/// The sum of one series over all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSum {
    /// This entry stands for every series beyond the budget, and its ids say nothing.
    pub other: bool,
    /// Id of the listener.
    pub listener: u16,
    /// Id of the route, 65535 for none.
    pub route: u16,
    /// Id of the cluster, 65535 for none.
    pub cluster: u16,
    /// Status sent to the client, 0 for none.
    pub status: u16,
    /// Response flag.
    pub flag: Flag,
    /// Exchanges finished.
    pub requests: u64,
    /// Body bytes of their requests.
    pub request_bytes: u64,
    /// Body bytes of their answers.
    pub response_bytes: u64,
    /// Sum of their durations, µs.
    pub duration_sum_us: u64,
    /// Exchanges by duration, each counted once (not cumulative).
    pub buckets: [u64; BUCKETS],
    /// Exchanges by the size of the request's body, each counted once.
    pub request_sizes: [u64; SIZE_BUCKETS],
    /// Exchanges by the size of the answer's body, each counted once.
    pub response_sizes: [u64; SIZE_BUCKETS],
}

impl SeriesSum {
    pub(super) fn empty(key: Key) -> Self {
        let other = key == Key::OTHER;
        let id = |shift: u32| if other { NONE } else { (key.0 >> shift) as u16 };
        Self {
            other,
            listener: id(48),
            route: id(32),
            cluster: id(16),
            status: if other { 0 } else { (key.0 >> 6 & 0x3ff) as u16 },
            flag: key.flag(),
            requests: 0,
            request_bytes: 0,
            response_bytes: 0,
            duration_sum_us: 0,
            buckets: [0; BUCKETS],
            request_sizes: [0; SIZE_BUCKETS],
            response_sizes: [0; SIZE_BUCKETS],
        }
    }

    pub(super) fn add(&mut self, series: &Series) {
        self.request_bytes += series.request_bytes.load(Relaxed);
        self.response_bytes += series.response_bytes.load(Relaxed);
        self.duration_sum_us += series.duration_us.load(Relaxed);
        for (sum, count) in self.buckets.iter_mut().zip(&series.buckets) {
            let count = count.load(Relaxed);
            *sum += count;
            self.requests += count;
        }
        let sums = self.request_sizes.iter_mut().chain(&mut self.response_sizes);
        let counts = series.request_sizes.iter().chain(&series.response_sizes);
        sums.zip(counts).for_each(|(sum, count)| *sum += count.load(Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_on_a_bound_belongs_below_it() {
        for (place, bound) in SIZE_BOUNDS.into_iter().enumerate() {
            let buckets = [const { AtomicU64::new(0) }; SIZE_BUCKETS];
            count_size(&buckets, bound);
            count_size(&buckets, bound + 1);
            let counts = buckets.map(AtomicU64::into_inner);
            assert_eq!((counts[place], counts[place + 1]), (1, 1), "around {bound} bytes");
        }
        let buckets = [const { AtomicU64::new(0) }; SIZE_BUCKETS];
        count_size(&buckets, u64::MAX);
        assert_eq!(buckets[SIZE_BUCKETS - 1].load(Relaxed), 1);
    }
}
