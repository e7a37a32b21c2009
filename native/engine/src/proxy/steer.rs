//! A worker's reaction to what its proxy announces: a new generation, the beginning of a drain.
//!
//! Top of the engine: nothing below knows how listeners come and go.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use crate::filter::script::Scripts;
use crate::listener;
use crate::proxy::{Proxy, Share, SocketKey};
use crate::worker::Worker;
use crate::worker::serving::{Serving, View};

/// Serves the proxy on this thread's runtime from now on. `index` is below the proxy's number of workers, else `None`.
/// Without `scripts` filters in TypeScript fail.
pub fn attach(proxy: &Arc<Proxy>, index: usize, scripts: Option<Rc<Scripts>>) -> Option<Rc<Worker>> {
    let worker = Worker::new(proxy.slot(index)?);
    if let Some(scripts) = scripts {
        worker.run_scripts(scripts);
    }
    weft_rt::spawn(Rc::clone(&worker.pool).keep()).detach();
    weft_rt::spawn(report_panics(Rc::clone(&worker))).detach();
    let mut steering =
        Steering { proxy: Arc::clone(proxy), worker: Rc::clone(&worker), number: 0, served: RefCell::default() };
    // At once: who attaches may send a request through a door before the next pass.
    steering.refresh();
    weft_rt::spawn(steering.run()).detach();
    Some(worker)
}

/// How often the count of panics is published.
const PANIC_REPORT: Duration = Duration::from_millis(250);

/// Publishes how many of the thread's tasks panicked: who watches the workers replaces one that panics too often.
async fn report_panics(worker: Rc<Worker>) {
    let before = weft_rt::panics();
    loop {
        weft_rt::sleep(PANIC_REPORT).await;
        worker.slot.panics.store(weft_rt::panics() - before, Ordering::Relaxed);
    }
}

/// What a worker serves now.
struct Steering {
    proxy: Arc<Proxy>,
    worker: Rc<Worker>,
    /// Generation that is served.
    number: u32,
    served: RefCell<Vec<Served>>,
}

/// A listener that a task, or a door, accepts for, until the listener is closed.
struct Served {
    key: SocketKey,
    serving: Rc<Serving>,
}

impl Steering {
    async fn run(mut self) {
        poll_fn(|cx| {
            self.worker.slot.listen(cx.waker());
            self.refresh();
            self.drain();
            Poll::<()>::Pending
        })
        .await;
    }

    /// Takes over a newer generation, if there is one: renews what stays, opens what is new, closes what is gone.
    fn refresh(&mut self) {
        let Some(generation) = self.proxy.generation().filter(|known| known.number != self.number).map(Rc::new) else {
            return;
        };
        self.number = generation.number;
        self.worker.slot.keep_records(&generation.records);
        self.worker.picker.forget();
        self.worker.gauge.run(generation.listeners.iter().any(|listener| listener.overload.is_some()));
        let mut before: Vec<Option<Served>> = self.served.take().into_iter().map(Some).collect();
        let mut served = Vec::with_capacity(generation.listeners.len());
        for at in 0..generation.listeners.len() {
            let Some(view) = View::new(&generation, at) else { continue };
            let key = SocketKey::of(view.listener());
            let known = before.iter_mut().find(|known| known.as_ref().is_some_and(|known| known.key == key));
            match known.and_then(Option::take) {
                Some(kept) => {
                    kept.serving.renew(view);
                    served.push(kept);
                }
                None => served.extend(self.open(key, view)),
            }
        }
        self.served.replace(served);
        let gone: Vec<Served> = before.into_iter().flatten().collect();
        for gone in &gone {
            gone.serving.close();
            self.worker.doors.close(&gone.serving);
        }
        if !gone.is_empty() {
            self.worker.connections.wake_all();
        }
        self.proxy.applied(&self.worker.slot, &generation);
    }

    /// Closes what the drain, if there is one, is about; their connections end after their exchange.
    fn drain(&self) {
        let drain = self.proxy.drains();
        let served = self.served.borrow();
        let ending = served
            .iter()
            .map(|served| &served.serving)
            .filter(|serving| drain.is_about(serving.view().listener().direction) && !serving.is_closing());
        if ending.map(|serving| serving.close()).count() > 0 {
            self.worker.connections.wake_all();
        }
    }

    fn open(&self, key: SocketKey, view: View) -> Option<Served> {
        let Share { socket, connections } = self.proxy.share(&key, self.worker.slot.index)?;
        let serving = Rc::new(Serving::new(view, connections));
        if let Some(socket) = socket {
            let socket = weft_rt::Listener::from_fd(socket).ok()?;
            weft_rt::spawn(listener::accept(socket, Rc::clone(&serving), Rc::clone(&self.worker))).detach();
        }
        self.worker.doors.open(&serving);
        Some(Served { key, serving })
    }
}
