//! Clusters and their endpoints.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::address::address;
use super::fingerprint;
use super::{Compiler, MAX_NOUNS, Rejection};
use crate::route::Sticky;
use crate::snapshot::cel::Mistake;
use crate::snapshot::{
    Cluster, ClusterEndpoint, Dns, GenerationCluster, Idle, KeepAlive, Keeping, Place, Reach, Resolution, Trip, Wanted,
};
use crate::upstream::cluster::TripCondition;
use crate::upstream::hedge::Hedging;

/// The largest weight of an endpoint: the sum of all weights of a cluster stays below 2^32.
const MAX_WEIGHT: u32 = u16::MAX as u32;

/// The last priority, as Envoy has it.
const MAX_PRIORITY: u32 = 127;

/// The endpoints that a cluster is to have once the generation is in force.
pub(crate) struct Assignment {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// All of its endpoints.
    pub(crate) endpoints: Vec<Wanted>,
}

impl Compiler<'_> {
    pub(super) fn cluster(&mut self, index: usize, dto: &Cluster) -> Arc<GenerationCluster> {
        let fingerprint = fingerprint::of_noun(dto, index);
        if let Some(known) = self.known_clusters.get(dto.name.as_str())
            && known.fingerprint == fingerprint
            && (dto.locality_aware.is_none() || known.division.locality.own == self.own_spot())
        {
            let known = Arc::clone(known);
            let read = known.hash_on.iter().flat_map(Sticky::headers_read).map(str::to_owned);
            self.headers_read.extend(read);
            return known;
        }
        let known = self.known_clusters.get(dto.name.as_str()).copied();
        self.assign(index, dto);
        self.check_balancer(index, dto);
        let trip = dto.circuit_breaker.as_ref().and_then(|breaker| breaker.trip.as_ref());
        let trip_when = trip.and_then(|trip| self.trip_condition(index, trip));
        let filters = self.filters("clusters", index, &dto.name, &dto.filters);
        let division = Arc::new(self.division(index, dto));
        let resolution = dto.dns.as_ref().and_then(|dns| self.resolution(index, &dto.name, dns));
        Arc::new(GenerationCluster {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            name: dto.name.clone(),
            fingerprint,
            membership: self.books.clusters.membership(&dto.name),
            division,
            load_balancer: dto.load_balancer,
            hash_on: self.hash_on(index, dto),
            connect_timeout: Duration::from_millis(dto.connect_timeout_ms.into()),
            hedge: dto
                .hedge
                .as_ref()
                .map(|hedge| Box::new(Hedging::new(hedge, known.and_then(|known| known.hedge.as_deref())))),
            limits: self.limits(dto),
            filters,
            tcp_keep_alive: dto.tcp_keep_alive.clone(),
            keeping: keeping(&dto.keep_alive),
            resolution,
            health_check: dto.health_check.clone().map(Arc::new),
            outlier_detection: dto.outlier_detection.map(Arc::new),
            trip: trip.cloned().map(Box::new),
            trip_when,
        })
    }

    fn hash_on(&mut self, index: usize, dto: &Cluster) -> Box<[Sticky]> {
        let at = |place: usize| move || format!("clusters.{index}.loadBalancer.hashOn.{place}");
        dto.hash_on.iter().enumerate().filter_map(|(place, key)| self.sticky(at(place), key)).collect()
    }

    fn trip_condition(&mut self, index: usize, dto: &Trip) -> Option<Box<TripCondition>> {
        let compiled = TripCondition::compile(dto.when.as_ref()?);
        let refuse = |mistake: Mistake| {
            let path = format!("clusters.{index}.circuitBreaker.trip.when");
            self.rejected.push(Rejection::new(path, "WEFT_SNAPSHOT_CEL", mistake.to_string()));
        };
        compiled.map(Box::new).map_err(refuse).ok()
    }

    /// A name that is asked for as before stays the one that it was, with what was found of it.
    fn resolution(&mut self, index: usize, cluster: &str, dns: &Dns) -> Option<Arc<Resolution>> {
        let before = self.known_clusters.get(cluster).and_then(|known| known.resolution.as_ref());
        if let Some(known) = before.filter(|known| known.dns == *dns) {
            return Some(Arc::clone(known));
        }
        let path = |at: usize| format!("clusters.{index}.dns.resolvers.{at}");
        let servers = dns.resolvers.iter().enumerate().map(|(at, text)| self.socket(path(at), text));
        let servers: Option<Vec<SocketAddr>> = servers.collect();
        servers.map(|servers| Arc::new(Resolution::new(dns.clone(), servers)))
    }

    /// A registry that has nothing to say takes nothing away.
    fn assign(&mut self, index: usize, dto: &Cluster) {
        if dto.discovered && dto.endpoints.is_empty() {
            return;
        }
        match wanted(&dto.endpoints) {
            Ok(endpoints) => self.assignments.push(Assignment { cluster: dto.name.clone(), endpoints }),
            Err(rejections) => {
                let prefix = format!("clusters.{index}.");
                self.rejected.extend(rejections.into_iter().map(|rejection| rejection.under(&prefix)));
            }
        }
    }
}

/// Endpoints as they are said, understood; or every reason why not.
pub(crate) fn wanted(endpoints: &[ClusterEndpoint]) -> Result<Vec<Wanted>, Vec<Rejection>> {
    let mut rejected = Vec::new();
    if endpoints.len() >= MAX_NOUNS {
        rejected.push(too_many(endpoints.len()));
    }
    let mut understood = Vec::with_capacity(endpoints.len());
    for (at, dto) in endpoints.iter().enumerate() {
        if !(1..=MAX_WEIGHT).contains(&dto.weight) {
            let message = format!("weight {} is not between 1 and {MAX_WEIGHT}", dto.weight);
            rejected.push(Rejection::new(format!("endpoints.{at}.weight"), "WEFT_SNAPSHOT_WEIGHT", message));
        }
        if dto.priority > MAX_PRIORITY {
            let message = format!("priority {} is not between 0 and {MAX_PRIORITY}", dto.priority);
            rejected.push(Rejection::new(format!("endpoints.{at}.priority"), "WEFT_SNAPSHOT_PRIORITY", message));
        }
        match address(&dto.address) {
            Ok(address) => {
                let place = Place {
                    region: dto.region.clone(),
                    zone: dto.zone.clone(),
                    priority: dto.priority,
                    labels: dto.labels.clone(),
                };
                // Spelt one way, so that an address is the same endpoint however it was written.
                let name = address.to_string();
                understood.push(Wanted { name, reach: Reach::One(address), weight: dto.weight, place });
            }
            Err(rejection) => rejected.push(rejection.under(&format!("endpoints.{at}."))),
        }
    }
    if rejected.is_empty() { Ok(understood) } else { Err(rejected) }
}

/// More endpoints than a cluster can have.
pub(crate) fn too_many(count: usize) -> Rejection {
    let message = format!("{count} endpoints: at most {} are supported", MAX_NOUNS - 1);
    Rejection::new("endpoints", "WEFT_SNAPSHOT_TOO_LARGE", message)
}

fn keeping(dto: &KeepAlive) -> Keeping {
    Keeping {
        idle: dto.idle_timeout_ms.map_or(Idle::Learned, |ms| Idle::For(Duration::from_millis(ms.into()))),
        max_requests: Some(dto.max_requests_per_connection).filter(|max| *max > 0),
    }
}
