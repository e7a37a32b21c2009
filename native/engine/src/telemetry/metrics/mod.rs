//! Counts of finished exchanges and of connections, kept per worker and summed when somebody asks.
//!
//! Flow: the worker's [`Metrics`] observes each record → [`WorkerMetrics`] holds the numbers → [`collect`] sums the
//! workers → [`Totals::report`] names the sums. Invariants: a number is written by its worker's thread only, so a load
//! and a store are enough and no cache line is fought over; a lock is taken for a new series, never for a known one; the
//! number of series is bounded, and one that rests for [`IDLE`] is neither shown nor kept in another's way; a series is
//! about names, whatever their index in the snapshot that decided.

mod budget;
mod clusters;
mod counters;
mod hdr;
mod latency;
mod names;
mod report;
mod series;

pub use budget::SeriesBudget;
pub use clusters::{CLUSTER_COUNTERS, ClusterCounter, ClusterSums};
pub use counters::{COUNTERS, Counter, Description, Kind};
pub use hdr::hdr;
pub use latency::{Bins, Latency};
pub use names::{Ids, Names};
pub use report::{ClusterCounts, Counters, NamedSeries, Report, RouteLatency};
pub use series::{BUCKETS, DURATION_BOUNDS_US, SIZE_BOUNDS, SIZE_BUCKETS, SeriesSum};

use crate::telemetry::record::{NONE, Record};
use clusters::ClusterNumbers;
use parking_lot::Mutex;
use series::{Key, Series};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Series that a proxy keeps before the rest goes into one; about 450 bytes each in every worker that counts there.
pub const DEFAULT_SERIES: usize = 2_000;

/// A series that counted nothing for so long is not shown, and gives way to another.
pub const IDLE: Duration = Duration::from_secs(600);

/// A worker that had no room for a new series asks again after this time, µs.
const REFUSED_US: u64 = 1_000_000;

/// The numbers of one worker, readable from any thread.
#[derive(Debug)]
pub struct WorkerMetrics {
    counters: [AtomicU64; COUNTERS.len()],
    series: Mutex<Vec<Arc<Series>>>,
    /// By the id of their route.
    latencies: Mutex<Vec<(u16, Arc<Latency>)>>,
    /// By the id of their cluster.
    clusters: Mutex<Vec<(u16, Arc<ClusterNumbers>)>>,
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self {
            counters: [const { AtomicU64::new(0) }; COUNTERS.len()],
            series: Mutex::default(),
            latencies: Mutex::default(),
            clusters: Mutex::default(),
        }
    }
}

impl WorkerMetrics {
    /// One counter or gauge.
    pub fn read(&self, counter: Counter) -> u64 {
        self.counters.get(counter as usize).map_or(0, |value| value.load(Relaxed))
    }

    /// Takes over the counters and series of a worker that has ended; its gauges end with its connections.
    ///
    /// Only after the worker's thread has ended, and never twice at once: until then the numbers are its own.
    pub fn absorb(&self, ended: &Self, budget: &SeriesBudget) {
        for ((counter, more), description) in self.counters.iter().zip(&ended.counters).zip(COUNTERS) {
            if description.kind == Kind::Counter {
                increase(counter, more.swap(0, Relaxed));
            }
        }
        let mut known = self.series.lock();
        for series in ended.series.lock().drain(..) {
            match known.iter().find(|known| known.key() == series.key()) {
                Some(mine) => {
                    mine.absorb(&series);
                    budget.give(series.key());
                }
                None => known.push(series),
            }
        }
        self.latencies.lock().append(&mut ended.latencies.lock());
        let mut clusters = self.clusters.lock();
        for (id, numbers) in ended.clusters.lock().drain(..) {
            match clusters.iter().find(|(known, _)| *known == id) {
                Some((_, mine)) => mine.absorb(&numbers),
                None => clusters.push((id, numbers)),
            }
        }
    }
}

/// The writing side, one for each worker's thread.
#[derive(Debug)]
pub struct Metrics {
    shared: Arc<WorkerMetrics>,
    known: HashMap<Key, Arc<Series>, foldhash::fast::FixedState>,
    /// By the id of their cluster.
    clusters: Vec<Option<Arc<ClusterNumbers>>>,
    budget: Arc<SeriesBudget>,
    other: Option<Arc<Series>>,
    /// When there was no room for a new one, µs since 1970.
    refused_us: Option<u64>,
    /// Not `Sync`: two writers would lose counts.
    one_thread: PhantomData<Cell<()>>,
}

impl Metrics {
    /// Metrics of a new worker. What the budget has no room for goes into one series.
    pub fn new(budget: Arc<SeriesBudget>) -> Self {
        Self {
            shared: Arc::default(),
            known: HashMap::default(),
            clusters: Vec::new(),
            budget,
            other: None,
            refused_us: None,
            one_thread: PhantomData,
        }
    }

    /// The side that [`collect`] reads.
    pub fn shared(&self) -> Arc<WorkerMetrics> {
        Arc::clone(&self.shared)
    }

    /// Counts a finished exchange under the names of the snapshot that it held.
    pub fn observe(&mut self, record: &Record, ids: &Ids) {
        let key = Key::of(record, ids);
        match self.known.get(&key) {
            Some(series) => series.observe(record),
            None => self.observe_new(key, record),
        }
    }

    /// Adds to a counter or a gauge.
    pub fn add(&self, counter: Counter, amount: u64) {
        if let Some(value) = self.shared.counters.get(counter as usize) {
            increase(value, amount);
        }
    }

    /// Takes from a gauge what was added before.
    pub fn subtract(&self, gauge: Counter, amount: u64) {
        if let Some(value) = self.shared.counters.get(gauge as usize) {
            value.store(value.load(Relaxed).saturating_sub(amount), Relaxed);
        }
    }

    /// Counts something about the cluster with this index in the snapshot.
    pub fn count_cluster(&mut self, cluster: u16, ids: &Ids, counter: ClusterCounter) {
        let id = ids.cluster(cluster);
        match self.clusters.get(usize::from(id)) {
            Some(Some(numbers)) => numbers.count(counter),
            _ => self.count_new_cluster(id, counter),
        }
    }

    #[cold]
    fn count_new_cluster(&mut self, id: u16, counter: ClusterCounter) {
        if id == NONE {
            return;
        }
        let numbers = Arc::new(ClusterNumbers::new());
        numbers.count(counter);
        self.shared.clusters.lock().push((id, Arc::clone(&numbers)));
        if self.clusters.len() <= usize::from(id) {
            self.clusters.resize(usize::from(id) + 1, None);
        }
        if let Some(place) = self.clusters.get_mut(usize::from(id)) {
            *place = Some(numbers);
        }
    }

    #[cold]
    fn observe_new(&mut self, key: Key, record: &Record) {
        let now_us = record.start_unix_us + u64::from(record.total_us);
        if self.refused_us.is_none_or(|then| now_us.abs_diff(then) >= REFUSED_US) {
            if self.budget.take(key) || (self.sweep(now_us) && self.budget.take(key)) {
                let series = self.publish(key);
                series.observe(record);
                self.known.insert(key, series);
                return;
            }
            self.refused_us = Some(now_us);
        }
        self.add(Counter::SeriesOverflows, 1);
        if self.other.is_none() {
            self.other = Some(self.publish(Key::OTHER));
        }
        if let Some(other) = &self.other {
            other.observe(record);
        }
    }

    /// Lets go of resting series. False: there was none.
    fn sweep(&mut self, now_us: u64) -> bool {
        let since = idle_since(now_us);
        let before = self.known.len();
        self.known.retain(|key, series| {
            let rests = series.is_idle_since(since);
            if rests {
                self.budget.give(*key);
            }
            !rests
        });
        if self.known.len() == before {
            return false;
        }
        self.shared.series.lock().retain(|series| series.key() == Key::OTHER || self.known.contains_key(&series.key()));
        // One owner is this list: the route has no series any more.
        self.shared.latencies.lock().retain(|(_, latency)| Arc::strong_count(latency) > 1);
        true
    }

    fn publish(&self, key: Key) -> Arc<Series> {
        let mut latencies = self.shared.latencies.lock();
        let known = latencies.iter().find(|(route, _)| *route == key.route());
        let latency = known.map(|(_, latency)| Arc::clone(latency)).unwrap_or_else(|| {
            let latency = Arc::new(Latency::default());
            latencies.push((key.route(), Arc::clone(&latency)));
            latency
        });
        let series = Arc::new(Series::new(key, latency));
        self.shared.series.lock().push(Arc::clone(&series));
        series
    }
}

fn idle_since(now_us: u64) -> u64 {
    now_us.saturating_sub(IDLE.as_micros() as u64)
}

/// Adds by one load and one store: right because each number has one writing thread.
fn increase(value: &AtomicU64, amount: u64) {
    value.store(value.load(Relaxed).wrapping_add(amount), Relaxed);
}

/// The sums over all workers at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// Every counter and gauge.
    pub counters: Counters,
    /// One entry for each series that did not rest, in the order of their keys.
    pub series: Vec<SeriesSum>,
    /// Durations by the id of their route.
    pub latencies: BTreeMap<u16, Bins>,
    /// Numbers by the id of their cluster.
    pub clusters: BTreeMap<u16, ClusterSums>,
}

/// Sums the workers at this time, µs since 1970. Numbers that move meanwhile may be counted in one series and not yet in
/// another. A series that rests is left out; when it counts again, it goes on where it was.
pub fn collect(workers: &[Arc<WorkerMetrics>], now_us: u64) -> Totals {
    let since = idle_since(now_us);
    let mut sums: BTreeMap<Key, (SeriesSum, bool)> = BTreeMap::new();
    let (mut latencies, mut clusters) = (BTreeMap::<u16, Bins>::new(), BTreeMap::<u16, ClusterSums>::new());
    let mut counters = [0; COUNTERS.len()];
    for worker in workers {
        // The lists are copied so that a worker with a new series never waits for a scrape.
        let series = worker.series.lock().clone();
        for series in series {
            let (sum, rests) = sums.entry(series.key()).or_insert_with(|| (SeriesSum::empty(series.key()), true));
            sum.add(&series);
            *rests &= series.is_idle_since(since);
        }
        for (route, latency) in worker.latencies.lock().clone() {
            latencies.entry(route).or_default().add(&latency);
        }
        for (cluster, numbers) in worker.clusters.lock().clone() {
            numbers.add_to(clusters.entry(cluster).or_default());
        }
        for (sum, counter) in counters.iter_mut().zip(&worker.counters) {
            *sum += counter.load(Relaxed);
        }
    }
    let series = sums.into_values().filter(|(_, rests)| !rests).map(|(sum, _)| sum).collect();
    Totals { counters: Counters(counters), series, latencies, clusters }
}

#[cfg(test)]
mod tests;
