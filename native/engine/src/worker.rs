//! One thread's share of a proxy: its listeners, pools, buffers and counts.
//!
//! Nothing here is shared with another thread but the [`crate::proxy::Slot`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use crate::buffer::Buffers;
use crate::http::head::{RequestHead, ResponseHead};
use crate::listener::{self, Serving, View};
use crate::proxy::{Proxy, Slot, SocketKey};
use crate::record::{Record, Texts};
use crate::snapshot::Generation;
use crate::telemetry::metrics::{Counter, DEFAULT_SERIES, Metrics};
use crate::upstream::pool::Pool;

/// A worker. Lives as long as one of its tasks.
pub struct Worker {
    proxy: Arc<Proxy>,
    slot: Arc<Slot>,
    /// Read buffers.
    pub buffers: Buffers,
    /// Heads to be used again.
    pub heads: Heads,
    /// Idle connections to endpoints.
    pub pool: Rc<Pool>,
    /// Client connections, to be woken when a drain begins.
    pub connections: Connections,
    metrics: RefCell<Metrics>,
    generation: RefCell<Option<Rc<Arc<Generation>>>>,
    served: RefCell<Vec<Served>>,
    date: RefCell<(u64, Rc<str>)>,
    draining: Cell<bool>,
}

/// A listener with the task that accepts for it.
struct Served {
    key: SocketKey,
    serving: Rc<Serving>,
    accepting: Option<weft_rt::Task>,
}

impl Worker {
    /// Serves the proxy on this thread's runtime from now on. `index` below the proxy's number of workers.
    pub fn attach(proxy: &Arc<Proxy>, index: usize) -> Option<Rc<Self>> {
        let slot = proxy.slot(index)?;
        let metrics = Metrics::new(DEFAULT_SERIES);
        slot.begin(&metrics);
        let worker = Rc::new(Self {
            proxy: Arc::clone(proxy),
            slot,
            buffers: Buffers::default(),
            heads: Heads::default(),
            pool: Rc::new(Pool::default()),
            connections: Connections::default(),
            metrics: RefCell::new(metrics),
            generation: RefCell::new(None),
            served: RefCell::new(Vec::new()),
            date: RefCell::new((0, Rc::from(""))),
            draining: Cell::new(false),
        });
        weft_rt::spawn(Rc::clone(&worker.pool).keep()).detach();
        weft_rt::spawn(Rc::clone(&worker).steer(index)).detach();
        Some(worker)
    }

    /// Reacts to what the proxy announces: a new generation, the beginning of a drain.
    async fn steer(self: Rc<Self>, index: usize) {
        poll_fn(|cx| {
            self.slot.listen(cx.waker());
            self.refresh_for(index);
            if self.proxy.is_draining() && !self.draining.replace(true) {
                self.served.borrow_mut().iter_mut().for_each(|served| served.accepting = None);
                self.connections.wake_all();
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Takes over a newer generation, if there is one.
    pub fn refresh(self: &Rc<Self>) {
        self.refresh_for(self.slot.index);
    }

    fn refresh_for(self: &Rc<Self>, index: usize) {
        let known = self.generation.borrow().as_ref().map_or(0, |generation| generation.number);
        if self.proxy.number() == known {
            return;
        }
        let Some(generation) = self.proxy.generation().map(Rc::new) else { return };
        *self.generation.borrow_mut() = Some(Rc::clone(&generation));
        self.slot.keep_records(&generation.records);
        let before = std::mem::take(&mut *self.served.borrow_mut());
        let mut served = Vec::with_capacity(generation.listeners.len());
        for at in 0..generation.listeners.len() {
            let Some(view) = View::new(&generation, at) else { continue };
            let key = SocketKey::of(view.listener());
            match before.iter().position(|known| known.key == key) {
                Some(known) => served.push((Some(known), key, view)),
                None => served.push((None, key, view)),
            }
        }
        self.serve(before, served, index);
        self.slot.applied.store(generation.number, Ordering::Release);
    }

    /// Renews what stays, opens what is new, closes what is gone.
    fn serve(self: &Rc<Self>, before: Vec<Served>, wanted: Vec<(Option<usize>, SocketKey, View)>, index: usize) {
        let mut before: Vec<Option<Served>> = before.into_iter().map(Some).collect();
        let mut served = Vec::with_capacity(wanted.len());
        for (known, key, view) in wanted {
            if let Some(kept) = known.and_then(|known| before.get_mut(known)).and_then(Option::take) {
                kept.serving.renew(view);
                served.push(kept);
            } else if let Some((socket, connections)) = self.proxy.socket(&key, index) {
                let serving = Rc::new(Serving::new(view, connections));
                let accepting = weft_rt::Listener::from_fd(socket).ok().map(|socket| {
                    weft_rt::spawn(listener::accept(socket, Rc::clone(&serving), Rc::clone(self)))
                });
                served.push(Served { key, serving, accepting });
            }
        }
        before.iter().flatten().for_each(|gone| gone.serving.close());
        let any_gone = before.iter().any(Option::is_some);
        drop(before);
        *self.served.borrow_mut() = served;
        if any_gone {
            self.connections.wake_all();
        }
        self.proxy.release_later();
    }

    /// Whether connections should end after their exchange.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Adds to a counter.
    pub fn count(&self, counter: Counter, amount: u64) {
        self.metrics.borrow().add(counter, amount);
    }

    /// Takes from a gauge.
    pub fn uncount(&self, gauge: Counter, amount: u64) {
        self.metrics.borrow().subtract(gauge, amount);
    }

    /// An exchange begins.
    pub fn begin_exchange(&self) {
        self.count(Counter::RequestsActive, 1);
    }

    /// An exchange has ended.
    pub fn end_exchange(&self) {
        self.uncount(Counter::RequestsActive, 1);
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

/// Heads of finished exchanges: their memory is used again.
#[derive(Default)]
pub struct Heads {
    // Boxed on purpose: a head moves between owners, its 100-odd bytes and vectors do not.
    requests: RefCell<Vec<Box<RequestHead>>>,
    responses: RefCell<Vec<Box<ResponseHead>>>,
}

/// Heads kept for reuse per worker, and the largest buffer one of them may keep.
const HEADS_KEPT: usize = 64;
const HEAD_BYTES_KEPT: usize = 8 * 1024;

impl Heads {
    /// A cleared head.
    pub fn take_request(&self) -> Box<RequestHead> {
        self.requests.borrow_mut().pop().unwrap_or_else(|| Box::new(RequestHead::new()))
    }

    /// Gives a head back.
    pub fn give_request(&self, mut head: Box<RequestHead>) {
        let mut kept = self.requests.borrow_mut();
        if kept.len() < HEADS_KEPT && head.bytes.capacity() <= HEAD_BYTES_KEPT {
            head.clear();
            kept.push(head);
        }
    }

    /// A cleared head.
    pub fn take_response(&self) -> Box<ResponseHead> {
        self.responses.borrow_mut().pop().unwrap_or_else(|| Box::new(ResponseHead::new()))
    }

    /// Gives a head back.
    pub fn give_response(&self, mut head: Box<ResponseHead>) {
        let mut kept = self.responses.borrow_mut();
        if kept.len() < HEADS_KEPT && head.bytes.capacity() <= HEAD_BYTES_KEPT {
            head.clear();
            kept.push(head);
        }
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
