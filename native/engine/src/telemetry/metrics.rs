//! Counts of finished exchanges and of connections, kept per worker and summed when somebody asks.
//!
//! Flow: the worker's [`Metrics`] observes each record → [`WorkerMetrics`] holds the numbers → [`collect`] sums the
//! workers → [`Totals::report`] names the sums. Invariants: a number is written by its worker's thread only, so a load and a store are enough and no
//! cache line is fought over; a lock is taken for a new series, never for a known one; the number of series is
//! bounded; a series is about names, whatever their index in the snapshot that decided.

mod counters;
mod names;
mod report;
mod series;

pub use counters::{COUNTERS, Counter, Description, Kind};
pub use names::{Ids, Names};
pub use report::{Counters, NamedSeries, Report};
pub use series::{BUCKETS, DURATION_BOUNDS_US, SeriesSum};

use crate::record::Record;
use parking_lot::Mutex;
use series::{Key, Series};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Series that one worker keeps before the rest goes into one; about 200 bytes each.
pub const DEFAULT_SERIES: usize = 2_000;

/// The numbers of one worker, readable from any thread.
#[derive(Debug)]
pub struct WorkerMetrics {
    counters: [AtomicU64; COUNTERS.len()],
    series: Mutex<Vec<Arc<Series>>>,
}

impl WorkerMetrics {
    /// One counter or gauge.
    pub fn read(&self, counter: Counter) -> u64 {
        self.counters.get(counter as usize).map_or(0, |value| value.load(Relaxed))
    }

    /// Sets the gauges to zero: the worker has ended, its connections with it, while its counters stay part of the sums.
    ///
    /// Only after the worker's thread has ended: until then the numbers are its own.
    pub fn retire(&self) {
        for (counter, description) in self.counters.iter().zip(COUNTERS) {
            if description.kind == Kind::Gauge {
                counter.store(0, Relaxed);
            }
        }
    }
}

/// The writing side, one for each worker's thread.
#[derive(Debug)]
pub struct Metrics {
    shared: Arc<WorkerMetrics>,
    known: HashMap<Key, Arc<Series>, foldhash::fast::FixedState>,
    budget: usize,
    other: Option<Arc<Series>>,
    /// Not `Sync`: two writers would lose counts.
    one_thread: PhantomData<Cell<()>>,
}

impl Metrics {
    /// Metrics of a new worker that keeps at most `budget` series and one for all others.
    pub fn new(budget: usize) -> Self {
        let shared =
            WorkerMetrics { counters: [const { AtomicU64::new(0) }; COUNTERS.len()], series: Mutex::new(Vec::new()) };
        Self { shared: Arc::new(shared), known: HashMap::default(), budget, other: None, one_thread: PhantomData }
    }

    /// The side that [`collect`] reads. Kept after the worker's end, so that counters never fall.
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

    #[cold]
    fn observe_new(&mut self, key: Key, record: &Record) {
        if self.known.len() < self.budget {
            let series = self.publish(key);
            series.observe(record);
            self.known.insert(key, series);
            return;
        }
        self.add(Counter::SeriesOverflows, 1);
        if self.other.is_none() {
            self.other = Some(self.publish(Key::OTHER));
        }
        if let Some(other) = &self.other {
            other.observe(record);
        }
    }

    fn publish(&self, key: Key) -> Arc<Series> {
        let series = Arc::new(Series::new(key));
        self.shared.series.lock().push(Arc::clone(&series));
        series
    }
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
    /// One entry for each series, in the order of their keys.
    pub series: Vec<SeriesSum>,
}

/// Sums the workers. Numbers that move meanwhile may be counted in one series and not yet in another.
pub fn collect(workers: &[Arc<WorkerMetrics>]) -> Totals {
    let mut sums: BTreeMap<Key, SeriesSum> = BTreeMap::new();
    for worker in workers {
        // The list is copied so that a worker with a new series never waits for a scrape.
        let series = worker.series.lock().clone();
        for series in series {
            sums.entry(series.key()).or_insert_with(|| SeriesSum::empty(series.key())).add(&series);
        }
    }
    let mut counters = [0; COUNTERS.len()];
    for worker in workers {
        for (sum, counter) in counters.iter_mut().zip(&worker.counters) {
            *sum += counter.load(Relaxed);
        }
    }
    Totals { counters: Counters(counters), series: sums.into_values().collect() }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
