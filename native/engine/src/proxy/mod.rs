//! A proxy as the process has it: the generation in force, the listening sockets, one slot per worker.
//!
//! Any thread may apply a snapshot or read statistics; workers notice by number and are woken. What is applied is
//! complete: every socket is bound and every log open before the first worker sees the new generation.
//!
//! With it stand its hand in each worker ([`steer`]), what it tells of itself ([`stats`], [`reasons`]) and the [`cold`]
//! thread. No request passes here. May use every other room, and in this one what stands below.

// Each module uses what stands below it. `scripts/check-structure` holds this order.
pub mod reasons;
pub mod stats;
pub mod steer;

mod drain;
mod endpoints;
mod following;
mod switching;

pub mod cold;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::{Condvar, Mutex};
use weft_rt::Addr;

use crate::listener::bind::{self, Bound};
use crate::listener::handover::{Handed, Label};
use crate::snapshot::{Books, Generation, GenerationListener, Rejection, Snapshot, compile};
use crate::telemetry::events::{Events, Fetched};
use crate::telemetry::metrics::{self, Counter, DEFAULT_SERIES, Report, SeriesBudget, WorkerMetrics};
use crate::worker::slot::Slot;

use cold::Following;
pub use drain::Drain;
pub use endpoints::Updated;
use stats::FilterStats;
use switching::Made;
pub use switching::{Switch, SwitchTarget, Switching};

/// Generations before the present one that are kept, so that `why` can tell what a record was decided by.
pub const HISTORY: usize = 4;

/// One proxy of the process.
pub struct Proxy {
    name: String,
    current: ArcSwapOption<Generation>,
    number: AtomicU32,
    slots: Vec<Arc<Slot>>,
    state: Mutex<State>,
    drain: AtomicU8,
    turn: Mutex<()>,
    turned: Condvar,
    /// Something that a worker held may be free now.
    releasable: AtomicBool,
    /// What the cold thread does for it; none while no cluster asks for anything.
    following: Mutex<Option<Following>>,
    events: Arc<Events>,
    itself: Weak<Self>,
}

/// What only `apply` and the readers of statistics touch.
#[derive(Default)]
struct State {
    books: Books,
    sockets: Vec<Listening>,
    /// What the generation in force was made from.
    made: Made,
    /// Sockets of the process before this one, until the first snapshot says which of them are wanted.
    inherited: Vec<Handed>,
    /// Generations before the present one, oldest first: those that an exchange may still hold, to be freed here and not
    /// on a worker, and the last [`HISTORY`], which records refer to.
    retired: Vec<Arc<Generation>>,
}

/// What tells listening sockets apart. A free port is asked for by name, for several listeners may want one; so is the
/// process's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketKey {
    address: Addr,
    name: Option<String>,
    door: bool,
}

impl SocketKey {
    /// The key of a listener's socket.
    pub fn of(listener: &GenerationListener) -> Self {
        let is_free = match &listener.address {
            Addr::Tcp(socket) => socket.port() == 0,
            Addr::Unix(_) => listener.door,
        };
        let name = is_free.then(|| listener.name.clone());
        Self { address: listener.address.clone(), name, door: listener.door }
    }

    /// Whether it is the same place with another engine.
    fn is_beside(&self, other: &Self) -> bool {
        self.address == other.address && self.name == other.name && self.door != other.door
    }
}

/// A bound address with a socket for each worker.
struct Listening {
    key: SocketKey,
    bound: Bound,
    connections: Arc<AtomicU32>,
}

/// A worker's part in a listening socket.
pub struct Share {
    /// What the worker accepts from; `None` for a door.
    pub socket: Option<OwnedFd>,
    /// Connections of the listener, over all workers.
    pub connections: Arc<AtomicU32>,
}

/// What came of a snapshot.
#[derive(serde::Serialize)]
pub struct Applied {
    /// Generation in force now.
    pub generation: u32,
    /// The same bytes were in force already.
    pub unchanged: bool,
    /// Why the snapshot was refused; empty when it is in force.
    pub rejected: Vec<Rejection>,
}

impl Proxy {
    /// A proxy without a configuration.
    pub fn new(name: &str, workers: usize) -> Arc<Self> {
        let budget = Arc::new(SeriesBudget::new(DEFAULT_SERIES));
        let state = State::default();
        let events = Arc::clone(state.books.clusters.events());
        Arc::new_cyclic(|itself| Self {
            name: name.to_owned(),
            current: ArcSwapOption::empty(),
            number: AtomicU32::new(0),
            slots: (0..workers.max(1)).map(|index| Arc::new(Slot::new(index, &budget))).collect(),
            state: Mutex::new(state),
            drain: AtomicU8::new(Drain::None as u8),
            turn: Mutex::default(),
            turned: Condvar::new(),
            releasable: AtomicBool::new(false),
            following: Mutex::default(),
            events,
            itself: Weak::clone(itself),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of the generation in force; 0 before the first one.
    pub fn number(&self) -> u32 {
        self.number.load(Ordering::Acquire)
    }

    /// The generation in force.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.current.load_full()
    }

    /// A generation by its number, while it is in force or kept.
    pub fn generation_numbered(&self, number: u32) -> Option<Arc<Generation>> {
        let current = self.generation().filter(|generation| generation.number == number);
        let find = || self.state.lock().retired.iter().find(|generation| generation.number == number).cloned();
        current.or_else(find)
    }

    /// A worker's slot.
    pub fn slot(&self, index: usize) -> Option<Arc<Slot>> {
        self.slots.get(index).map(Arc::clone)
    }

    /// Puts a snapshot in force, all of it or nothing.
    pub fn apply(&self, bytes: &[u8]) -> Applied {
        let fingerprint = compile::fingerprint::of_bytes(bytes);
        if let Some(current) = self.generation().filter(|current| current.fingerprint == fingerprint) {
            // It may come because its logs were moved away.
            let failed = |(path, error)| Rejection::new("", "WEFT_LOG_OPEN", format!("cannot open {path}: {error}"));
            let rejected = self.reopen_logs().into_iter().map(failed).collect();
            return Applied { generation: current.number, unchanged: true, rejected };
        }
        match self.try_apply(bytes, fingerprint) {
            Ok(generation) => Applied { generation, unchanged: false, rejected: Vec::new() },
            Err(rejected) => Applied { generation: self.number(), unchanged: false, rejected },
        }
    }

    fn try_apply(&self, bytes: &[u8], fingerprint: u64) -> Result<u32, Vec<Rejection>> {
        let snapshot = compile::decode(bytes).map_err(|rejection| vec![rejection])?;
        self.put_in_force(&snapshot, fingerprint, Made { bytes: bytes.into(), switches: Vec::new() })
    }

    fn put_in_force(&self, snapshot: &Snapshot, fingerprint: u64, made: Made) -> Result<u32, Vec<Rejection>> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let before = self.current.load_full();
        let number = self.number() + 1;
        let compiled = compile::compile(snapshot, number, fingerprint, &mut state.books, before.as_deref())?;
        let following = self.prepare_following(&compiled.generation)?;
        let opened = self.open_sockets(&compiled.generation, state)?;
        let mut generation = compiled.settle(&mut state.books);
        made.tell(&mut generation);
        state.made = made;
        state.sockets.extend(opened);
        state.inherited.clear();
        state
            .sockets
            .retain(|socket| generation.listeners.iter().any(|listener| SocketKey::of(listener) == socket.key));
        for listener in &generation.listeners {
            let Some(mode) = listener.socket_mode else { continue };
            let key = SocketKey::of(listener);
            state.sockets.iter().filter(|socket| socket.key == key).for_each(|socket| socket.bound.permit(mode));
        }
        self.current.store(Some(Arc::new(generation)));
        self.number.store(number, Ordering::Release);
        state.retired.extend(before);
        drop(guard);
        self.slots.iter().for_each(|slot| slot.wake());
        self.follow(following);
        self.release();
        Ok(number)
    }

    /// Takes over what another process listened on, before the first snapshot.
    pub fn inherit(&self, sockets: Vec<Handed>) {
        self.state.lock().inherited = sockets;
    }

    /// What this process listens on, for the one that follows it.
    pub fn hand_over(&self) -> io::Result<Vec<Handed>> {
        let mut state = self.state.lock();
        let sockets = state.sockets.iter_mut().flat_map(|listening| {
            let key = &listening.key;
            listening.bound.leave_file();
            listening.bound.sockets.iter().enumerate().map(|(worker, socket)| {
                let label = Label { address: key.address.to_string(), name: key.name.clone(), worker };
                Ok(Handed { label, socket: socket.try_clone()? })
            })
        });
        sockets.collect()
    }

    fn open_sockets(&self, generation: &Generation, state: &mut State) -> Result<Vec<Listening>, Vec<Rejection>> {
        let mut opened: Vec<Listening> = Vec::new();
        let mut rejected = Vec::new();
        for (index, listener) in generation.listeners.iter().enumerate() {
            let key = SocketKey::of(listener);
            let mut known = state.sockets.iter().chain(&opened);
            if known.any(|socket| socket.key == key) {
                continue;
            }
            if state.sockets.iter().any(|socket| socket.key.is_beside(&key)) {
                rejected.push(Rejection::new(
                    format!("listeners.{index}.engine"),
                    "WEFT_LISTENER_BIND",
                    format!("{} is listened on by the other engine: choose another address, or restart", key.address),
                ));
                continue;
            }
            let ours =
                |handed: &mut Handed| handed.label.name == key.name && handed.label.address == key.address.to_string();
            let handed = state.inherited.extract_if(.., ours).map(|handed| handed.socket).collect();
            let bound = match &listener.address {
                Addr::Tcp(address) if listener.door => bind::reserve(*address, handed),
                Addr::Unix(_) if listener.door => Ok(bind::nothing()),
                _ => bind::bind(&listener.address, listener.socket_mode, self.slots.len(), handed),
            };
            match bound {
                Ok(bound) => {
                    opened.push(Listening { key, bound, connections: Arc::default() });
                }
                Err(error) => rejected.push(Rejection::new(
                    format!("listeners.{index}.address"),
                    "WEFT_LISTENER_BIND",
                    format!("cannot listen on {}: {}", listener.address, bind::explain(&error)),
                )),
            }
        }
        if rejected.is_empty() { Ok(opened) } else { Err(rejected) }
    }

    /// A worker's part in a listening socket.
    pub fn share(&self, key: &SocketKey, worker: usize) -> Option<Share> {
        let state = self.state.lock();
        let listening = state.sockets.iter().find(|socket| socket.key == *key)?;
        let socket = if key.door { None } else { Some(listening.bound.sockets.get(worker)?.try_clone().ok()?) };
        Some(Share { socket, connections: Arc::clone(&listening.connections) })
    }

    /// The address that a listener is bound to.
    pub fn address(&self, listener: &str) -> Option<Addr> {
        let generation = self.generation()?;
        let listener = generation.listeners.iter().find(|known| known.name == listener)?;
        self.bound(listener)
    }

    /// The same of a listener of the generation in force.
    pub fn bound(&self, listener: &GenerationListener) -> Option<Addr> {
        let key = SocketKey::of(listener);
        let state = self.state.lock();
        state.sockets.iter().find(|socket| socket.key == key).map(|listening| listening.bound.address.clone())
    }

    /// Begins a drain, or extends it: nothing more is accepted by the listeners that it is about, their answers say
    /// `connection: close`, their idle connections are closed.
    pub fn drain(&self, drain: Drain) {
        let drain = drain.max(self.drains());
        self.drain.store(drain as u8, Ordering::Release);
        if let Some(generation) = self.generation() {
            let ending = generation.listeners.iter().filter(|listener| drain.is_about(listener.direction));
            let keys: Vec<SocketKey> = ending.map(SocketKey::of).collect();
            self.state.lock().sockets.retain(|socket| !keys.contains(&socket.key));
        }
        self.slots.iter().for_each(|slot| slot.wake());
    }

    /// The drain that has begun.
    pub fn drains(&self) -> Drain {
        Drain::from_number(self.drain.load(Ordering::Relaxed))
    }

    /// Exchanges and tunnels under way that the drain is about, and listening sockets whose queue is not known to be
    /// empty; without a drain all exchanges.
    pub fn active(&self) -> u64 {
        let drain = self.drains();
        let active = |slot: &Slot| {
            let all = slot.sum(Counter::RequestsActive);
            let (inbound, outbound) = (&slot.accepting, &slot.accepting_outbound);
            match drain {
                Drain::None => all,
                Drain::Inbound => {
                    let outbound = slot.sum(Counter::RequestsOutboundActive);
                    all.saturating_sub(outbound) + u64::from(inbound.load(Ordering::Acquire))
                }
                Drain::All => all + u64::from(inbound.load(Ordering::Acquire) + outbound.load(Ordering::Acquire)),
            }
        };
        self.slots.iter().map(|slot| active(slot)).sum()
    }

    /// A worker's thread has ended: its gauges are no longer true. Call after the end of the thread.
    pub fn detach(&self, worker: usize) {
        if let Some(slot) = self.slots.get(worker) {
            slot.end();
        }
    }

    /// Opens every access log again, after a rotation moved the files away. What cannot be opened stays as it is, and is
    /// named with the reason.
    pub fn reopen_logs(&self) -> Vec<(String, io::Error)> {
        self.state.lock().books.logs.reopen()
    }

    /// Waits until what was logged is written, at most so long.
    pub fn flush_logs(&self, timeout: Duration) -> bool {
        self.state.lock().books.logs.flush(timeout)
    }

    /// A worker serves this generation from now on, and let go of what it served before.
    pub fn applied(&self, slot: &Slot, generation: &Generation) {
        self.releasable.store(true, Ordering::Relaxed);
        let _waiting = self.turn.lock();
        slot.applied.store(generation.number, Ordering::Release);
        self.turned.notify_all();
    }

    /// Waits until the attached workers serve the generation in force, at most so long. Not for a worker's own thread.
    pub fn await_applied(&self, timeout: Duration) -> bool {
        let number = self.number();
        let behind = |_: &mut ()| {
            let serving = |slot: &Arc<Slot>| slot.applied.load(Ordering::Acquire) == number;
            !self.slots.iter().all(|slot| !slot.is_attached() || serving(slot))
        };
        let mut waiting = self.turn.lock();
        !self.turned.wait_while_for(&mut waiting, behind, timeout).timed_out()
    }

    /// Frees generations and endpoints that nothing refers to any more. For threads without traffic.
    pub fn release(&self) {
        let mut state = self.state.lock();
        let oldest = self.number().saturating_sub(HISTORY as u32);
        state.retired.retain(|generation| generation.number >= oldest || Arc::strong_count(generation) > 1);
        state.books.clusters.forget_unused();
        state.books.limits.forget_unused();
        state.books.filters.forget_unused();
    }

    /// What is counted about filters in TypeScript.
    pub fn filters(&self) -> Vec<FilterStats> {
        let state = self.state.lock();
        let scripts = state.books.filters.scripts();
        let told = scripts.map(|(name, counts)| FilterStats {
            name: name.to_owned(),
            failures: counts.failures.load(Ordering::Relaxed),
            answers: counts.answers.load(Ordering::Relaxed),
        });
        told.collect()
    }

    /// Sums over all workers, with their names.
    pub fn report(&self) -> Report {
        if self.releasable.swap(false, Ordering::Relaxed) {
            self.release();
        }
        let workers: Vec<Arc<WorkerMetrics>> = self.slots.iter().flat_map(|slot| slot.metrics()).collect();
        let mut totals = metrics::collect(&workers, weft_rt::unix_micros());
        let state = self.state.lock();
        totals.counters.add(Counter::LogWriteErrors, state.books.logs.write_errors());
        totals.report(&state.books.names)
    }

    /// What happened to endpoints since the last call; `None` when nothing did.
    pub fn events(&self) -> Option<Fetched> {
        self.events.fetch()
    }

    /// The workers' slots.
    pub fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }
}
