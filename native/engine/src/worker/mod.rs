//! One thread's share of a proxy: its pool, buffers, heads and counts.
//!
//! Nothing here is shared with another thread but the [`Slot`]. May use the ground floor, and in
//! this room what stands below.

// Each module uses what stands below it. `scripts/check-structure` holds this order.
pub mod doors;
pub mod serving;

pub mod heads;
pub mod overload;
pub mod slot;

use std::cell::{OnceCell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use crate::filter::script::Scripts;
use crate::snapshot::{Direction, Generation};
use crate::telemetry::metrics::{ClusterCounter, Counter, Metrics};
use crate::telemetry::record::{Record, Texts};
use crate::transfer::buffer::Buffers;
use crate::upstream::cluster::Picker;
use crate::upstream::connection::pool::Pool;
use crate::worker::doors::Doors;
use crate::worker::heads::Heads;
use crate::worker::overload::Gauge;
use crate::worker::slot::Slot;

/// A worker. Lives as long as one of its tasks.
pub struct Worker {
    /// What it shares.
    pub slot: Arc<Slot>,
    /// Read buffers.
    pub buffers: Buffers,
    /// Heads to be used again.
    pub heads: Heads,
    /// Its part in picking endpoints.
    pub picker: Picker,
    /// The pressure on it, where a listener asks for it.
    pub gauge: Rc<Gauge>,
    /// Idle connections to endpoints.
    pub pool: Rc<Pool>,
    /// Client connections, to be woken when a drain begins.
    pub connections: Connections,
    /// Its listeners, for requests that come through doors.
    pub doors: Doors,
    metrics: RefCell<Metrics>,
    date: RefCell<(u64, Rc<str>)>,
    scripts: OnceCell<Rc<Scripts>>,
}

impl Worker {
    /// A worker that takes the slot.
    pub fn new(slot: Arc<Slot>) -> Rc<Self> {
        let metrics = slot.begin();
        Rc::new(Self {
            slot,
            buffers: Buffers::default(),
            heads: Heads::default(),
            picker: Picker::new(),
            gauge: Rc::default(),
            pool: Rc::new(Pool::default()),
            connections: Connections::default(),
            doors: Doors::default(),
            metrics: RefCell::new(metrics),
            date: RefCell::new((0, Rc::from(""))),
            scripts: OnceCell::new(),
        })
    }

    /// Filters in TypeScript run here. The first call wins.
    pub fn run_scripts(&self, scripts: Rc<Scripts>) {
        let _known = self.scripts.set(scripts);
    }

    /// What runs filters in TypeScript, where something does.
    pub fn scripts(&self) -> Option<&Rc<Scripts>> {
        self.scripts.get()
    }

    /// Adds to a counter.
    pub fn count(&self, counter: Counter, amount: u64) {
        self.metrics.borrow().add(counter, amount);
    }

    /// Counts something about the cluster with this index.
    pub fn count_cluster(&self, cluster: u16, generation: &Generation, counter: ClusterCounter) {
        self.metrics.borrow_mut().count_cluster(cluster, &generation.ids, counter);
    }

    /// Takes from a gauge.
    pub fn uncount(&self, gauge: Counter, amount: u64) {
        self.metrics.borrow().subtract(gauge, amount);
    }

    /// An exchange begins.
    pub fn begin_exchange(&self, direction: Direction) {
        self.count(Counter::RequestsActive, 1);
        if direction == Direction::Outbound {
            self.count(Counter::RequestsOutboundActive, 1);
        }
    }

    /// An exchange has ended.
    pub fn end_exchange(&self, direction: Direction) {
        self.uncount(Counter::RequestsActive, 1);
        if direction == Direction::Outbound {
            self.uncount(Counter::RequestsOutboundActive, 1);
        }
    }

    /// Writes a finished exchange to ring and metrics.
    pub fn write_record(&self, record: &mut Record, texts: &Texts<'_>, generation: &Generation) {
        self.slot.ring.lock().push(record, texts);
        self.metrics.borrow_mut().observe(record, &generation.ids);
    }

    /// Now, as the `date` header has it (RFC 9110 section 5.6.7).
    pub fn date(&self) -> Rc<str> {
        let second = weft_rt::unix_micros() / 1_000_000;
        let mut date = self.date.borrow_mut();
        if date.0 != second {
            let time = UNIX_EPOCH + Duration::from_secs(second);
            *date = (second, Rc::from(httpdate::fmt_http_date(time)));
        }
        Rc::clone(&date.1)
    }
}

/// The wakers of a worker's client connections.
#[derive(Default)]
pub struct Connections {
    wakers: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<u32>>,
}

/// A connection's entry; removed on drop.
pub struct Place {
    worker: Rc<Worker>,
    place: u32,
}

impl Drop for Place {
    fn drop(&mut self) {
        let connections = &self.worker.connections;
        if let Some(waker) = connections.wakers.borrow_mut().get_mut(self.place as usize) {
            *waker = None;
        }
        connections.free.borrow_mut().push(self.place);
        self.worker.uncount(Counter::DownstreamConnectionsActive, 1);
    }
}

impl Connections {
    /// Enters the calling task.
    pub async fn enter(worker: &Rc<Worker>) -> Place {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let connections = &worker.connections;
        let mut wakers = connections.wakers.borrow_mut();
        let place = connections.free.borrow_mut().pop().unwrap_or_else(|| {
            wakers.push(None);
            u32::try_from(wakers.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(slot) = wakers.get_mut(place as usize) {
            *slot = Some(waker);
        }
        worker.count(Counter::DownstreamConnectionsActive, 1);
        Place { worker: Rc::clone(worker), place }
    }

    /// Wakes every connection: something that ends the idle ones has happened.
    pub fn wake_all(&self) {
        self.wakers.borrow().iter().flatten().for_each(Waker::wake_by_ref);
    }
}
