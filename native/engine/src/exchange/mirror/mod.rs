//! Mirroring: copies of a route's requests go to another cluster, whose answers no client sees.
//!
//! A copy is a task of its own that owns all it needs: the request never waits for it and never fails with it. Copies under
//! way, and the bytes of each, are bounded; beyond that none is made, and it is counted. What a copy meets tells nothing
//! about its endpoints to what learns from traffic. With `diff` the answers are compared ([`diff`]).

mod ask;
mod copy;
pub mod diff;
mod message;
mod witness;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::exchange::ongoing::{Aim, Ongoing};
use crate::exchange::share::{self, Lot};
use crate::http::framing::{Framing, wants_upgrade};
use crate::http::head::Method;
use crate::snapshot::{GenerationRoute, Mirror as Settings, Subset};
use crate::telemetry::metrics::Counter;
use crate::telemetry::record::Mark;
use crate::transfer::{Copied, Transfer};

use copy::Copy;
use diff::Findings;
use message::message;
pub use witness::Witness;
use witness::witness;

/// A mirror of a route.
pub struct Mirror {
    /// Index of its cluster in the generation.
    pub cluster: u16,
    /// Name of its cluster.
    pub name: String,
    /// The part of the cluster that is asked; `None`: all of it.
    pub subset: Option<Subset>,
    /// As configured.
    pub settings: Settings,
    /// What outlives generations.
    pub state: Arc<MirrorState>,
}

/// What outlives generations, as long as route, cluster and settings stay the same.
pub struct MirrorState {
    turns: AtomicU64,
    under_way: AtomicU32,
    /// Copies that were begun.
    pub sent: AtomicU64,
    /// Copies that were answered.
    pub answered: AtomicU64,
    /// Copies that were not.
    pub failed: AtomicU64,
    /// Requests that were due and not copied: too many under way, a body too long, no endpoint.
    pub dropped: AtomicU64,
    /// What the comparison of answers found.
    pub findings: Option<Arc<Findings>>,
}

impl Mirror {
    /// A mirror; `known` is the one of the generation before in its place, whose state goes on where it is the same.
    pub fn new(settings: &Settings, cluster: u16, name: &str, subset: Option<Subset>, known: Option<&Self>) -> Self {
        let same = known.filter(|known| known.name == name && known.settings.is_alike(settings));
        let state = same.map_or_else(|| Arc::new(MirrorState::new(settings)), |known| Arc::clone(&known.state));
        Self { cluster, name: name.to_owned(), subset, settings: settings.clone(), state }
    }

    /// Where copies go, in words.
    pub fn words(&self) -> String {
        match &self.subset {
            Some(subset) => format!("{} ({})", self.name, subset.text),
            None => self.name.clone(),
        }
    }
}

impl Settings {
    /// Whether all but the cluster's index is the same.
    fn is_alike(&self, other: &Self) -> bool {
        *self == Self { cluster: self.cluster, ..other.clone() }
    }
}

impl MirrorState {
    fn new(settings: &Settings) -> Self {
        Self {
            turns: AtomicU64::new(0),
            under_way: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            findings: settings.diff.as_ref().map(|diff| Arc::new(Findings::new(&diff.ignore))),
        }
    }

    /// Copies under way now.
    pub fn under_way(&self) -> u32 {
        self.under_way.load(Relaxed)
    }
}

/// A place among the copies under way.
struct Place(Arc<MirrorState>);

impl Place {
    fn take(state: &Arc<MirrorState>, max: u32) -> Option<Self> {
        let free = |held: u32| (held < max).then_some(held + 1);
        state.under_way.fetch_update(Relaxed, Relaxed, free).ok().map(|_| Self(Arc::clone(state)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

/// Sends copies of a request that is about to go to `aim`, where its route has mirrors.
#[inline]
pub fn send(exchange: &mut Ongoing<'_>, route: &GenerationRoute, aim: &Aim<'_>, sending: &mut Transfer) {
    if !route.mirrors.is_empty() {
        copies(exchange, route, aim, sending);
    }
}

fn copies(exchange: &mut Ongoing<'_>, route: &GenerationRoute, aim: &Aim<'_>, sending: &mut Transfer) {
    for (at, mirror) in route.mirrors.iter().enumerate() {
        let state = &mirror.state;
        let turn = state.turns.fetch_add(1, Relaxed);
        if !share::takes(mirror.settings.share_ppm, Lot::First, turn) || wants_upgrade(exchange.head) {
            continue;
        }
        let begun = begin(exchange, route, at, aim, sending);
        if begun.is_some() {
            state.sent.fetch_add(1, Relaxed);
            exchange.account.mark(Mark::Mirrored);
        } else {
            state.dropped.fetch_add(1, Relaxed);
            exchange.worker.count(Counter::MirrorsDropped, 1);
        }
    }
}

/// Begins one copy. `None`: there is no room for it.
fn begin(
    exchange: &mut Ongoing<'_>,
    route: &GenerationRoute,
    at: usize,
    aim: &Aim<'_>,
    sending: &mut Transfer,
) -> Option<()> {
    let mirror = route.mirrors.get(at)?;
    let settings = &mirror.settings;
    let max_body = settings.max_body_bytes as usize;
    let framing = if sending.is_whole() { sending.framing() } else { exchange.body };
    if matches!(framing, Framing::Length(bytes) if bytes > max_body as u64) {
        return None;
    }
    let place = Place::take(&mirror.state, settings.max_concurrent)?;
    let head = message(exchange, framing, true)?;
    let bodiless = matches!(framing, Framing::None | Framing::Length(0));
    let body = if bodiless { Copied::empty() } else { sending.copy(max_body) };
    let (seen, testimony) = settings.diff.as_ref().map(|diff| witness(diff.max_body_bytes as usize)).unzip();
    // Asking the same once more is harmless only where the method says so (RFC 9110 section 9.2.1).
    let safe = bodiless && matches!(exchange.head.method, Method::Get | Method::Head | Method::Options);
    let again = if testimony.is_some() && safe { message(exchange, framing, false) } else { None };
    exchange.witnesses.extend(seen);
    let copy = Copy {
        worker: Rc::clone(exchange.worker),
        view: exchange.view.clone(),
        route: route.index,
        mirror: at,
        cluster: aim.cluster.index,
        subset: aim.subset.cloned(),
        method: exchange.head.method,
        request: [exchange.head.text(exchange.head.method_text), b" ", exchange.head.text(exchange.head.path)].concat(),
        head,
        framed: framing != Framing::Chunked && framing != Framing::UntilClose,
        body,
        testimony,
        again,
        _place: place,
    };
    weft_rt::spawn(copy.run()).detach();
    Some(())
}
