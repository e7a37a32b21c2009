//! What a proxy counted, under the names of its configuration, ready to be serialised.

use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::proxy::Proxy;
use crate::slot::Slot;
use crate::snapshot::Member;
use crate::telemetry::metrics::{Counter, Report};

/// Everything that can be read from outside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    generation: u32,
    draining: bool,
    #[serde(flatten)]
    report: Report,
    workers: Vec<WorkerStats>,
    listeners: Vec<ListenerStats>,
    clusters: Vec<ClusterStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkerStats {
    heartbeat: u64,
    generation: u32,
    connections: u64,
    panics: u64,
    records: u64,
    record_bytes: usize,
}

/// Where a listener is bound.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStats {
    name: String,
    address: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterStats {
    name: String,
    /// Picks made although no endpoint was healthy.
    panics: u64,
    endpoints: Vec<EndpointStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointStats {
    address: String,
    weight: u32,
    healthy: bool,
    active: u32,
    requests: u64,
    failures: u64,
    idle: u32,
}

/// Reads everything.
pub fn read(proxy: &Proxy) -> Stats {
    let generation = proxy.generation();
    let clusters = generation.iter().flat_map(|generation| &generation.clusters);
    Stats {
        generation: proxy.number(),
        draining: proxy.is_draining(),
        report: proxy.report(),
        workers: proxy.slots().iter().map(|slot| worker(slot)).collect(),
        listeners: listeners(proxy),
        clusters: clusters
            .map(|cluster| ClusterStats {
                name: cluster.name.clone(),
                panics: cluster.membership.panics(),
                endpoints: cluster.membership.set().members().map(endpoint).collect(),
            })
            .collect(),
    }
}

/// The listeners in force and where they are bound: a port 0 became a real one.
pub fn listeners(proxy: &Proxy) -> Vec<ListenerStats> {
    let Some(generation) = proxy.generation() else { return Vec::new() };
    let bound = |name: &str, configured| proxy.address(name).unwrap_or(configured).to_string();
    let listeners = generation.listeners.iter();
    listeners
        .map(|known| ListenerStats { name: known.name.clone(), address: bound(&known.name, known.address) })
        .collect()
}

fn worker(slot: &Slot) -> WorkerStats {
    let (record_bytes, records) = {
        let ring = slot.ring.lock();
        (ring.memory(), ring.last_seq())
    };
    WorkerStats {
        heartbeat: slot.heartbeat.load(Ordering::Relaxed),
        generation: slot.applied.load(Ordering::Relaxed),
        connections: slot.sum(Counter::DownstreamConnectionsActive),
        panics: slot.panics.load(Ordering::Relaxed),
        records,
        record_bytes,
    }
}

fn endpoint(member: &Member) -> EndpointStats {
    let known = &member.endpoint;
    let active = known.active.load(Ordering::Relaxed);
    EndpointStats {
        address: known.socket.to_string(),
        weight: member.weight,
        healthy: known.is_healthy(),
        active,
        requests: known.requests.load(Ordering::Relaxed),
        failures: known.failures.load(Ordering::Relaxed),
        idle: known.connections.load(Ordering::Relaxed).saturating_sub(active),
    }
}
