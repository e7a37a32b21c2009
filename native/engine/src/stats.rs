//! What a proxy counted, under the names of its configuration, ready to be serialised.

use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::proxy::Proxy;
use crate::snapshot::{Endpoint, NameBook};
use crate::telemetry::metrics::{CounterSum, SeriesSum};

/// Everything that can be read from outside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    generation: u32,
    draining: bool,
    duration_bounds_ms: Vec<f64>,
    counters: Vec<CounterSum>,
    series: Vec<NamedSeries>,
    workers: Vec<WorkerStats>,
    listeners: Vec<ListenerStats>,
    clusters: Vec<ClusterStats>,
}

/// A series under its names; a name is empty for none.
#[derive(Serialize)]
struct NamedSeries {
    listener: String,
    route: String,
    cluster: String,
    #[serde(flatten)]
    sum: SeriesNumbers,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeriesNumbers {
    other: bool,
    status: u16,
    flag: &'static str,
    requests: u64,
    request_bytes: u64,
    response_bytes: u64,
    duration_sum_us: u64,
    buckets: Vec<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WorkerStats {
    index: usize,
    heartbeat: u64,
    generation: u32,
    record_bytes: usize,
    records: u64,
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
    endpoints: Vec<EndpointStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointStats {
    address: String,
    active: u32,
    requests: u64,
    failures: u64,
    connections: u32,
}

/// Reads everything.
pub fn read(proxy: &Proxy) -> Stats {
    let totals = proxy.totals();
    let generation = proxy.generation();
    let series = proxy.with_books(|books| {
        let name = |book: &NameBook, id: u16| book.name(id).unwrap_or_default().to_owned();
        let named = totals.series.iter().map(|sum| NamedSeries {
            listener: name(&books.listeners, sum.listener),
            route: name(&books.routes, sum.route),
            cluster: name(&books.clusters, sum.cluster),
            sum: numbers(sum),
        });
        named.collect()
    });
    let generation = generation.as_deref();
    let clusters = generation.map_or(&[][..], |generation| &generation.clusters);
    Stats {
        generation: proxy.number(),
        draining: proxy.is_draining(),
        duration_bounds_ms: totals.duration_bounds_ms,
        counters: totals.counters,
        series,
        workers: proxy.slots().iter().map(|slot| worker(slot)).collect(),
        listeners: listeners(proxy),
        clusters: clusters
            .iter()
            .map(|cluster| ClusterStats {
                name: cluster.name.clone(),
                endpoints: cluster.endpoints.iter().map(|known| endpoint(known)).collect(),
            })
            .collect(),
    }
}

/// The listeners in force and where they are bound: a port 0 became a real one.
pub fn listeners(proxy: &Proxy) -> Vec<ListenerStats> {
    let Some(generation) = proxy.generation() else { return Vec::new() };
    let bound = |name: &str, configured| proxy.address(name).unwrap_or(configured).to_string();
    let listeners = generation.listeners.iter();
    listeners.map(|known| ListenerStats { name: known.name.clone(), address: bound(&known.name, known.address) }).collect()
}

fn numbers(sum: &SeriesSum) -> SeriesNumbers {
    SeriesNumbers {
        other: sum.other,
        status: sum.status,
        flag: sum.flag.short(),
        requests: sum.requests,
        request_bytes: sum.request_bytes,
        response_bytes: sum.response_bytes,
        duration_sum_us: sum.duration_us,
        buckets: sum.duration_buckets.to_vec(),
    }
}

fn worker(slot: &crate::proxy::Slot) -> WorkerStats {
    let ring = slot.ring.lock();
    WorkerStats {
        index: slot.index,
        heartbeat: slot.heartbeat.load(Ordering::Relaxed),
        generation: slot.applied.load(Ordering::Relaxed),
        record_bytes: ring.memory(),
        records: ring.last_seq(),
    }
}

fn endpoint(known: &Endpoint) -> EndpointStats {
    EndpointStats {
        address: known.socket.to_string(),
        active: known.active.load(Ordering::Relaxed),
        requests: known.requests.load(Ordering::Relaxed),
        failures: known.failures.load(Ordering::Relaxed),
        connections: known.connections.load(Ordering::Relaxed),
    }
}
