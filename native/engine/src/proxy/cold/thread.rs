//! The thread itself: what proxies want of it arrives in order, and is carried out by tasks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::dns::Resolvers;
use super::watched::{Watch, Watched};
use crate::proxy::Proxy;

/// The one thread; its number of owners is that of the proxies that need it.
static RUNNING: Mutex<Weak<ColdThread>> = Mutex::new(Weak::new());
/// Tells proxies apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The running thread. It ends when the last proxy lets go of it.
struct ColdThread {
    orders: UnboundedSender<Order>,
}

enum Order {
    /// All that a proxy wants followed from now on.
    Follow { owner: u64, proxy: Weak<Proxy>, watches: Vec<Watch> },
    /// A cluster of a proxy has other endpoints.
    Changed { owner: u64, cluster: String },
    /// A proxy has gone.
    Leave { owner: u64 },
}

/// What the cold thread does for one proxy. Dropping it ends that.
pub struct Following {
    thread: Arc<ColdThread>,
    owner: u64,
}

impl Following {
    /// A place on the thread, which is started when it does not run.
    pub fn begin() -> io::Result<Self> {
        let mut running = RUNNING.lock();
        let thread = match running.upgrade() {
            Some(thread) => thread,
            None => {
                let started = start()?;
                *running = Arc::downgrade(&started);
                started
            }
        };
        Ok(Self { thread, owner: NEXT.fetch_add(1, Ordering::Relaxed) })
    }

    /// Follows these clusters from now on, and no others. What stays the same goes on undisturbed.
    pub fn follow(&self, proxy: Weak<Proxy>, watches: Vec<Watch>) {
        self.order(Order::Follow { owner: self.owner, proxy, watches });
    }

    /// A cluster has other endpoints.
    pub fn changed(&self, cluster: &str) {
        self.order(Order::Changed { owner: self.owner, cluster: cluster.to_owned() });
    }

    fn order(&self, order: Order) {
        // The thread takes orders as long as somebody may give some, unless it has panicked; requests go on without it.
        let _taken = self.thread.orders.send(order);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.order(Order::Leave { owner: self.owner });
    }
}

fn start() -> io::Result<Arc<ColdThread>> {
    let (orders, taken) = mpsc::unbounded_channel();
    let run = move || weft_rt::tokio_rt::run(carry_out(taken));
    std::thread::Builder::new().name("weft-cold".to_owned()).spawn(run)?;
    Ok(Arc::new(ColdThread { orders }))
}

async fn carry_out(mut orders: UnboundedReceiver<Order>) {
    let resolvers = Rc::new(RefCell::new(Resolvers::default()));
    let mut watched: HashMap<(u64, String), Watched> = HashMap::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Follow { owner, proxy, watches } => {
                let mut before = take(&mut watched, owner);
                for watch in watches {
                    let key = (owner, watch.cluster.clone());
                    let known = before.remove(&key);
                    watched.insert(key, Watched::begin(watch, known, &proxy, &resolvers));
                }
                before.into_values().for_each(Watched::end);
            }
            Order::Changed { owner, cluster } => {
                if let Some(known) = watched.get_mut(&(owner, cluster)) {
                    known.refresh();
                }
            }
            Order::Leave { owner } => take(&mut watched, owner).into_values().for_each(Watched::end),
        }
    }
}

/// All that is followed for a proxy.
fn take(watched: &mut HashMap<(u64, String), Watched>, owner: u64) -> HashMap<(u64, String), Watched> {
    watched.extract_if(|(known, _), _| *known == owner).collect()
}
