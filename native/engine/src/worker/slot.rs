//! What one worker shares with the rest of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use crate::snapshot::Records;
use crate::telemetry::metrics::{Counter, Metrics, SeriesBudget, WorkerMetrics};
use crate::telemetry::record::{Ring, RingOptions};

/// A worker's place in its proxy; it outlives the worker's thread.
pub struct Slot {
    /// Place among the proxy's workers.
    pub index: usize,
    /// Grows while the worker's loop turns.
    pub heartbeat: Arc<AtomicU64>,
    /// Tasks of the worker's thread that panicked; starts again with each thread.
    pub panics: AtomicU64,
    /// Generation that the worker serves.
    pub applied: AtomicU32,
    /// Listening sockets that it accepts from.
    pub accepting: AtomicU32,
    /// The same for outbound listeners.
    pub accepting_outbound: AtomicU32,
    /// Its records.
    pub ring: Mutex<Ring>,
    records: Mutex<Records>,
    metrics: Mutex<Counted>,
    budget: Arc<SeriesBudget>,
    waker: Mutex<Option<Waker>>,
}

/// The numbers of the worker that has the slot, and of all that had it before, in one.
#[derive(Default)]
struct Counted {
    present: Option<Arc<WorkerMetrics>>,
    past: Option<Arc<WorkerMetrics>>,
}

impl Slot {
    /// The slot of a worker that has not begun. The budget of series is the proxy's.
    pub fn new(index: usize, budget: &Arc<SeriesBudget>) -> Self {
        let small = RingOptions { records: 1, ..RingOptions::default() };
        Self {
            index,
            heartbeat: Arc::default(),
            panics: AtomicU64::new(0),
            applied: AtomicU32::new(0),
            accepting: AtomicU32::new(0),
            accepting_outbound: AtomicU32::new(0),
            ring: Mutex::new(Ring::new(&small)),
            records: Mutex::default(),
            metrics: Mutex::default(),
            budget: Arc::clone(budget),
            waker: Mutex::default(),
        }
    }

    /// A worker takes the slot and begins to count. Counters of the one before stay part of the sums.
    pub fn begin(&self) -> Metrics {
        self.applied.store(0, Ordering::Release);
        self.panics.store(0, Ordering::Relaxed);
        let metrics = Metrics::new(Arc::clone(&self.budget));
        let mut counted = self.metrics.lock();
        self.fold(&mut counted);
        counted.present = Some(metrics.shared());
        metrics
    }

    fn fold(&self, counted: &mut Counted) {
        if let Some(ended) = counted.present.take() {
            counted.past.get_or_insert_default().absorb(&ended, &self.budget);
        }
    }

    /// Whether a worker serves here.
    pub fn is_attached(&self) -> bool {
        self.waker.lock().is_some()
    }

    /// The worker's thread has ended: its gauges are no longer true.
    pub fn end(&self) {
        *self.waker.lock() = None;
        self.fold(&mut self.metrics.lock());
    }

    /// The numbers of all workers that had the slot.
    pub fn metrics(&self) -> Vec<Arc<WorkerMetrics>> {
        let counted = self.metrics.lock();
        counted.past.iter().chain(&counted.present).map(Arc::clone).collect()
    }

    /// Whom to wake when something is announced.
    pub fn listen(&self, waker: &Waker) {
        let mut known = self.waker.lock();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Makes the ring fit the configuration. Records are lost only when their configuration changes.
    pub fn keep_records(&self, records: &Records) {
        let mut known = self.records.lock();
        if *known != *records {
            *self.ring.lock() = Ring::new(&RingOptions {
                records: records.ring as usize,
                headers: &records.headers,
                redact: &records.redact,
                ..RingOptions::default()
            });
            known.clone_from(records);
        }
    }

    /// Has the worker look at what was announced.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.lock().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// A counter or gauge of all workers that had the slot.
    pub fn sum(&self, gauge: Counter) -> u64 {
        let counted = self.metrics.lock();
        counted.past.iter().chain(&counted.present).map(|metrics| metrics.read(gauge)).sum()
    }
}
