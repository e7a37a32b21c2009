//! What a proxy counted, under the names of its configuration, ready to be serialised.

use std::sync::atomic::Ordering;
use std::time::Instant;

use serde::Serialize;
use weft_rt::Addr;

use crate::exchange::fault::FaultCounts;
use crate::exchange::mirror::Mirror;
use crate::exchange::mirror::diff::Report as DiffReport;
use crate::proxy::{Drain, Proxy, Switch};
use crate::snapshot::{
    AtOnce, Direction, EndpointSet, GenerationRoute, Member, PartitionTold, Resolution, ResolutionState, bit,
};
use crate::telemetry::metrics::{Bins, ClusterSums, Counter, Report, hdr};
use crate::upstream::cluster::{EndpointBreaker, Opened, OutlierState, Spell};
use crate::upstream::limit::Adaptive;
use crate::worker::slot::Slot;

/// Everything that can be read from outside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    name: String,
    generation: u32,
    draining: bool,
    #[serde(flatten)]
    report: Report,
    workers: Vec<WorkerStats>,
    listeners: Vec<ListenerStats>,
    clusters: Vec<ClusterStats>,
    /// Filters in TypeScript.
    filters: Vec<FilterStats>,
    /// Faults of routes.
    faults: Vec<FaultStats>,
    /// Where copies of requests go.
    mirrors: Vec<MirrorStats>,
    /// Routes whose requests go elsewhere than configured.
    switches: Vec<Switch>,
}

/// A mirror of a route.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MirrorStats {
    route: String,
    cluster: String,
    percent: f64,
    under_way: u32,
    sent: u64,
    answered: u64,
    failed: u64,
    dropped: u64,
    /// What comparing answers found; none where they are not compared.
    diff: Option<DiffReport>,
}

/// A fault that a route injects.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FaultStats {
    route: String,
    /// The rest of its time to live; 0: it is over; none: it has none.
    left_ms: Option<u64>,
    #[serde(flatten)]
    counts: FaultCounts,
}

/// What is counted about the filters in TypeScript of one name.
#[derive(Serialize)]
pub struct FilterStats {
    /// Their name.
    pub name: String,
    /// Calls whose `onFailure` had to be applied.
    pub failures: u64,
    /// Requests that they answered themselves.
    pub answers: u64,
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
    direction: Direction,
    address: String,
    door: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterStats {
    name: String,
    counters: ClusterSums,
    /// The name that its endpoints are found by.
    dns: Option<DnsStats>,
    /// Its adaptive bound on requests.
    concurrency: Option<ConcurrencyStats>,
    /// What outlier detection did.
    ejections: EjectionStats,
    /// How often breakers opened, by what opened them.
    trips: Vec<(&'static str, u64)>,
    /// How its priorities and zones share requests, then those of its subsets.
    groups: Vec<PartitionTold>,
    endpoints: Vec<EndpointStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EjectionStats {
    /// How often endpoints were put out, by what put them out.
    counts: Vec<(&'static str, u64)>,
    /// How often one would have been, had not as many been out as may.
    withheld: u64,
}

#[derive(Serialize)]
struct ConcurrencyStats {
    /// In force now.
    bound: u32,
    /// Requests under way.
    active: u32,
}

#[derive(Serialize)]
struct DnsStats {
    name: String,
    #[serde(flatten)]
    state: ResolutionState,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointStats {
    address: String,
    weight: u32,
    priority: u32,
    zone: String,
    healthy: bool,
    /// What its health check found last.
    health: &'static str,
    /// Others are asked first.
    degraded: bool,
    /// Outlier detection has put it out.
    ejected: Option<Spell>,
    /// Its breaker is open.
    breaker: Option<Opened>,
    active: u32,
    requests: u64,
    failures: u64,
    server_errors: u64,
    idle: u32,
    latency: Bins,
    /// How it answered by what it had to do at once; one answer of eight is looked at.
    concurrency: Vec<AtOnce>,
    /// Idle time after which it closes connections, as far as that was learned.
    closes_idle_after_ms: Option<u64>,
}

/// Reads everything.
pub fn read(proxy: &Proxy) -> Stats {
    let generation = proxy.generation();
    let report = proxy.report();
    let counts = |name: &str| report.cluster_counts.iter().find(|counts| counts.cluster == name);
    let clusters = generation.iter().flat_map(|generation| &generation.clusters);
    let clusters = clusters
        .map(|cluster| ClusterStats {
            name: cluster.name.clone(),
            counters: counts(&cluster.name).map(|found| found.counts).unwrap_or_default(),
            dns: cluster.resolution.as_deref().map(dns),
            concurrency: cluster.limits.adaptive.as_deref().map(concurrency),
            ejections: EjectionStats {
                counts: cluster.membership.ejections().counts().collect(),
                withheld: cluster.membership.ejections().withheld(),
            },
            trips: cluster.membership.trips().counts().collect(),
            groups: PartitionTold::all(&cluster.membership),
            endpoints: endpoints(&cluster.membership.set()),
        })
        .collect();
    Stats {
        name: proxy.name().to_owned(),
        generation: proxy.number(),
        draining: proxy.drains() != Drain::None,
        workers: proxy.slots().iter().map(|slot| worker(slot)).collect(),
        listeners: listeners(proxy),
        clusters,
        filters: proxy.filters(),
        faults: generation.iter().flat_map(|generation| &generation.routes).filter_map(fault).collect(),
        mirrors: generation.iter().flat_map(|generation| &generation.routes).flat_map(mirrors).collect(),
        switches: proxy.switches(),
        report,
    }
}

/// A cluster's part in which requests do not go where they would if all endpoints were healthy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    cluster: String,
    #[serde(flatten)]
    group: PartitionTold,
}

/// What is short of healthy endpoints now: where somebody panics, or the first priority does not take all.
pub fn shortages(proxy: &Proxy) -> Vec<Shortage> {
    let Some(generation) = proxy.generation() else { return Vec::new() };
    let strained = generation.clusters.iter().filter(|cluster| cluster.membership.tally().down() > 0);
    let groups = strained.flat_map(|cluster| {
        let groups = PartitionTold::all(&cluster.membership).into_iter().filter(PartitionTold::is_short);
        groups.map(|group| Shortage { cluster: cluster.name.clone(), group })
    });
    groups.collect()
}

/// The listeners in force and where they are bound: a port 0 became a real one.
pub fn listeners(proxy: &Proxy) -> Vec<ListenerStats> {
    let Some(generation) = proxy.generation() else { return Vec::new() };
    let listeners = generation.listeners.iter();
    listeners
        .map(|known| {
            let address = proxy.bound(known).unwrap_or_else(|| known.address.clone());
            let is_memory = known.door && matches!(address, Addr::Unix(_));
            let address = if is_memory { "memory".to_owned() } else { address.to_string() };
            ListenerStats { name: known.name.clone(), direction: known.direction, address, door: known.door }
        })
        .collect()
}

/// Durations as HDR histograms: V2, compressed, base64.
#[derive(Serialize)]
pub struct Histograms {
    routes: Vec<RouteHistogram>,
    clusters: Vec<ClusterHistogram>,
    endpoints: Vec<EndpointHistogram>,
}

#[derive(Serialize)]
struct RouteHistogram {
    route: String,
    hdr: String,
}

#[derive(Serialize)]
struct ClusterHistogram {
    cluster: String,
    hdr: String,
}

#[derive(Serialize)]
struct EndpointHistogram {
    cluster: String,
    endpoint: String,
    hdr: String,
}

/// Encodes the durations of all routes, and those of the endpoints in force that answered something, alone and by
/// cluster.
pub fn histograms(proxy: &Proxy) -> Histograms {
    let Stats { report, clusters, .. } = read(proxy);
    let by_cluster = clusters.iter().filter_map(cluster_histogram).collect();
    let routes = report.routes.into_iter();
    let endpoints = clusters.into_iter().flat_map(|ClusterStats { name, endpoints, .. }| {
        endpoints.into_iter().filter(|known| !known.latency.is_empty()).map(move |known| (name.clone(), known))
    });
    Histograms {
        routes: routes
            .filter_map(|known| Some(RouteHistogram { hdr: hdr(&known.latency)?, route: known.route }))
            .collect(),
        clusters: by_cluster,
        endpoints: endpoints
            .filter_map(|(cluster, known)| {
                Some(EndpointHistogram { cluster, hdr: hdr(&known.latency)?, endpoint: known.address })
            })
            .collect(),
    }
}

fn cluster_histogram(cluster: &ClusterStats) -> Option<ClusterHistogram> {
    let mut all = Bins::default();
    for endpoint in &cluster.endpoints {
        all.merge(&endpoint.latency);
    }
    let hdr = if all.is_empty() { None } else { hdr(&all) }?;
    Some(ClusterHistogram { cluster: cluster.name.clone(), hdr })
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

fn fault(route: &GenerationRoute) -> Option<FaultStats> {
    let fault = route.fault.as_ref()?;
    let left_ms = fault.left(Instant::now()).map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    Some(FaultStats { route: route.name.clone(), left_ms, counts: fault.counts() })
}

fn mirrors(route: &GenerationRoute) -> impl Iterator<Item = MirrorStats> {
    route.mirrors.iter().map(|mirror @ Mirror { settings, state, .. }| MirrorStats {
        route: route.name.clone(),
        cluster: mirror.words(),
        percent: f64::from(settings.share_ppm) / 10_000.0,
        under_way: state.under_way(),
        sent: state.sent.load(Ordering::Relaxed),
        answered: state.answered.load(Ordering::Relaxed),
        failed: state.failed.load(Ordering::Relaxed),
        dropped: state.dropped.load(Ordering::Relaxed),
        diff: state.findings.as_ref().map(|findings| findings.report()),
    })
}

fn concurrency(adaptive: &Adaptive) -> ConcurrencyStats {
    ConcurrencyStats { bound: adaptive.bound(), active: adaptive.held() }
}

fn dns(resolution: &Resolution) -> DnsStats {
    DnsStats { name: resolution.dns.name.clone(), state: resolution.state() }
}

fn endpoints(set: &EndpointSet) -> Vec<EndpointStats> {
    set.members().map(|member| endpoint(member, set.priority(member))).collect()
}

fn endpoint(member: &Member, priority: u32) -> EndpointStats {
    let known = &member.endpoint;
    let active = known.active.load(Ordering::Relaxed);
    let mut latency = Bins::default();
    latency.add(&known.latency);
    EndpointStats {
        address: known.name.clone(),
        weight: member.weight,
        priority,
        zone: member.place.as_deref().map(|place| place.zone.clone()).unwrap_or_default(),
        healthy: known.is_up(),
        health: known.health.finding().word(),
        degraded: known.condition() & bit::DEGRADED != 0,
        ejected: known.known_outlier().and_then(OutlierState::last).filter(|spell| !spell.over),
        breaker: known.known_breaker().and_then(EndpointBreaker::opened),
        active,
        requests: known.requests.load(Ordering::Relaxed),
        failures: known.failures.load(Ordering::Relaxed),
        server_errors: known.server_errors.load(Ordering::Relaxed),
        idle: known.connections.load(Ordering::Relaxed).saturating_sub(active),
        latency,
        concurrency: known.concurrency.seen(),
        closes_idle_after_ms: known.idle_age.learned().map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
    }
}
