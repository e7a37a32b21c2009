//! Snapshot → generation. Everything that can be refused is refused here, with its path; nothing is refused later.

mod address;
mod cluster;
mod filter;
mod limits;
mod listener;
mod retry;
mod route;
mod route_match;

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::route::Table;

use super::{Books, Generation, GenerationCluster, GenerationListener, GenerationRoute};
use super::{FORMAT, Snapshot};

/// Why a part of a snapshot does not come into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Dotted path into the snapshot.
    pub path: String,
    /// `WEFT_<AREA>_<WHAT>`.
    pub code: &'static str,
    /// What failed, where, what to do.
    pub message: String,
}

impl Rejection {
    pub(crate) fn new(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.into(), code, message: message.into() }
    }
}

/// Indexes cross the hot path as 16-bit numbers; the last one means "none".
const MAX_NOUNS: usize = u16::MAX as usize;

pub(crate) fn decode(bytes: &[u8]) -> Result<Snapshot, Rejection> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    let snapshot: Snapshot = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        Rejection::new(error.path().to_string(), "WEFT_SNAPSHOT_MALFORMED", error.into_inner().to_string())
    })?;
    if snapshot.format != FORMAT {
        let message = format!("snapshot format {} is not {FORMAT}: compile it with this version", snapshot.format);
        return Err(Rejection::new("format", "WEFT_SNAPSHOT_FORMAT", message));
    }
    Ok(snapshot)
}

/// Collects every issue, or the generation.
pub(crate) fn compile(
    snapshot: &Snapshot,
    number: u32,
    books: &mut Books,
    previous: Option<&Generation>,
) -> Result<Generation, Vec<Rejection>> {
    let mut compiler = Compiler { rejected: Vec::new(), books, previous, redact: &snapshot.records.redact };
    compiler.count("listeners", snapshot.listeners.len());
    compiler.count("routes", snapshot.routes.len());
    compiler.count("clusters", snapshot.clusters.len());
    let mut listeners: Vec<GenerationListener> =
        snapshot.listeners.iter().enumerate().filter_map(|(index, dto)| compiler.listener(index, dto)).collect();
    let clusters: Vec<GenerationCluster> =
        snapshot.clusters.iter().enumerate().filter_map(|(index, dto)| compiler.cluster(index, dto)).collect();
    let names: Vec<&str> = snapshot.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    let mut rules: route::RulesOf = vec![Vec::new(); snapshot.listeners.len()];
    let routes: Vec<GenerationRoute> = snapshot
        .routes
        .iter()
        .enumerate()
        .filter_map(|(index, dto)| compiler.route(index, dto, &names, &mut rules))
        .collect();
    if !compiler.rejected.is_empty() {
        return Err(compiler.rejected);
    }
    // Nothing was refused, so that listeners and their descriptions stand side by side.
    for ((listener, dto), rules) in listeners.iter_mut().zip(&snapshot.listeners).zip(rules) {
        listener.table = Table::new(rules, dto.service_header.as_deref());
    }
    let drain_deadline = Duration::from_millis(snapshot.drain_deadline_ms.into());
    let ids = books.names.ids(
        listeners.iter().map(|listener| listener.name.as_str()),
        routes.iter().map(|route| route.name.as_str()),
        clusters.iter().map(|cluster| cluster.name.as_str()),
    );
    let (records, tracing) = (snapshot.records.clone(), snapshot.tracing);
    Ok(Generation { number, listeners, routes, clusters, ids, records, tracing, drain_deadline })
}

struct Compiler<'a> {
    rejected: Vec<Rejection>,
    books: &'a mut Books,
    previous: Option<&'a Generation>,
    /// Headers whose values are never kept.
    redact: &'a [String],
}

impl Compiler<'_> {
    fn count(&mut self, noun: &str, length: usize) {
        if length >= MAX_NOUNS {
            let message = format!("{length} {noun}: at most {} are supported", MAX_NOUNS - 1);
            self.rejected.push(Rejection::new(noun, "WEFT_SNAPSHOT_TOO_LARGE", message));
        }
    }

    fn address(&mut self, path: String, text: &str) -> Option<SocketAddr> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("`{text}` is not an ip:port or [v6]:port");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_ADDRESS", message));
        }
        parsed
    }
}

/// Milliseconds as they cross the boundary; 0 is no bound.
fn bound(ms: u32) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms.into()))
}
