//! Snapshot → generation. Everything that can be refused is refused here, with its path; nothing is refused later.

mod address;
mod cluster;
mod division;
mod filter;
pub(crate) mod fingerprint;
mod limits;
mod listener;
mod overload;
mod retry;
mod route;
mod route_match;
mod sticky;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;

use crate::route::Table;

use super::{Books, Generation, GenerationCluster, GenerationListener, GenerationRoute};
use super::{FORMAT, Node, Records, Snapshot};

pub(crate) use address::address;
pub(crate) use cluster::{too_many, wanted};

use cluster::Assignment;

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

    /// The same of a part of something larger.
    fn under(self, prefix: &str) -> Self {
        Self { path: format!("{prefix}{}", self.path), ..self }
    }
}

/// Indexes cross the hot path as 16-bit numbers; the last one means "none".
pub(crate) const MAX_NOUNS: usize = u16::MAX as usize;
/// Each header that records keep is looked for in each request: beyond so many they know less.
const MOST_HEADERS: usize = 64;

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

/// What is to come into force: all of it or nothing.
pub(crate) struct Compiled {
    pub(crate) generation: Generation,
    assignments: Vec<Assignment>,
}

impl Compiled {
    /// Nothing can be refused any more: the clusters get their endpoints.
    pub(crate) fn settle(self, books: &mut Books) -> Generation {
        for cluster in &self.generation.clusters {
            books.clusters.set_checked(&cluster.name, cluster.health_check.is_some());
            books.clusters.divide(&cluster.name, &cluster.division);
            books.clusters.set_table(&cluster.name, cluster.load_balancer.table());
            cluster.membership.ejections().follow(cluster.outlier_detection.as_ref());
            cluster.membership.trips().want(cluster.trip.is_some());
        }
        for Assignment { cluster, endpoints } in self.assignments {
            books.clusters.change(&cluster, endpoints, &[], true);
        }
        self.generation
    }
}

/// Collects every issue, or the generation.
pub(crate) fn compile(
    snapshot: &Snapshot,
    number: u32,
    fingerprint: u64,
    books: &mut Books,
    previous: Option<&Generation>,
) -> Result<Compiled, Vec<Rejection>> {
    let known = previous.map_or(&[][..], |generation| &generation.clusters);
    let known_clusters = known.iter().map(|cluster| (cluster.name.as_str(), cluster)).collect();
    let routes = previous.map_or(&[][..], |generation| &generation.routes);
    let known_routes = routes.iter().map(|route| (route.name.as_str(), route)).collect();
    let mut compiler = Compiler {
        rejected: Vec::new(),
        books,
        known_clusters,
        known_routes,
        assignments: Vec::new(),
        redact: &snapshot.records.redact,
        headers_read: Vec::new(),
        node: &snapshot.node,
    };
    compiler.count("listeners", snapshot.listeners.len());
    compiler.count("routes", snapshot.routes.len());
    compiler.count("clusters", snapshot.clusters.len());
    let mut listeners: Vec<GenerationListener> =
        snapshot.listeners.iter().enumerate().filter_map(|(index, dto)| compiler.listener(index, dto)).collect();
    let clusters: Vec<Arc<GenerationCluster>> =
        snapshot.clusters.iter().enumerate().map(|(index, dto)| compiler.cluster(index, dto)).collect();
    let mut rules: route::RulesOf = vec![Vec::new(); snapshot.listeners.len()];
    let routes: Vec<GenerationRoute> = snapshot
        .routes
        .iter()
        .enumerate()
        .filter_map(|(index, dto)| compiler.route(index, dto, &snapshot.clusters, &mut rules))
        .collect();
    if !compiler.rejected.is_empty() {
        return Err(compiler.rejected);
    }
    let (assignments, headers_read) = (compiler.assignments, compiler.headers_read);
    // Nothing was refused, so that listeners and their descriptions stand side by side.
    for ((listener, dto), rules) in listeners.iter_mut().zip(&snapshot.listeners).zip(rules) {
        listener.table = Table::new(rules, dto.service_header.as_deref()).with_lanes(&dto.overrides.lane_header);
    }
    let drain_deadline = Duration::from_millis(snapshot.drain_deadline_ms.into());
    let ids = books.names.ids(
        listeners.iter().map(|listener| listener.name.as_str()),
        routes.iter().map(|route| route.name.as_str()),
        clusters.iter().map(|cluster| cluster.name.as_str()),
    );
    let (records, tracing) = (records_with(&snapshot.records, headers_read), snapshot.tracing);
    let generation = Generation {
        number,
        fingerprint,
        listeners,
        routes,
        clusters,
        ids,
        records,
        tracing,
        drain_deadline,
        named: OnceLock::new(),
    };
    Ok(Compiled { generation, assignments })
}

/// Records keep what expressions read too, or nobody could say later what these saw.
fn records_with(records: &Records, headers_read: Vec<String>) -> Records {
    let mut records = records.clone();
    for name in headers_read {
        if records.headers.len() < MOST_HEADERS && !records.headers.contains(&name) {
            records.headers.push(name);
        }
    }
    records
}

struct Compiler<'a> {
    rejected: Vec<Rejection>,
    books: &'a mut Books,
    /// Of the generation before, by name.
    known_clusters: HashMap<&'a str, &'a Arc<GenerationCluster>>,
    /// Of the generation before, by name.
    known_routes: HashMap<&'a str, &'a GenerationRoute>,
    assignments: Vec<Assignment>,
    /// Headers whose values are never kept.
    redact: &'a [String],
    /// Headers that expressions look at.
    headers_read: Vec<String>,
    /// The proxy itself.
    node: &'a Node,
}

impl Compiler<'_> {
    fn count(&mut self, noun: &str, length: usize) {
        if length >= MAX_NOUNS {
            let message = format!("{length} {noun}: at most {} are supported", MAX_NOUNS - 1);
            self.rejected.push(Rejection::new(noun, "WEFT_SNAPSHOT_TOO_LARGE", message));
        }
    }
}

/// Milliseconds as they cross the boundary; 0 is no bound.
fn bound(ms: u32) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms.into()))
}
