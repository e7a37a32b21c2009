//! Everything about one exchange: what was decided, by which rule, among whom, how long each attempt took, what to do.

use serde::Serialize;

use super::Generations;
use super::records::{Query, Told, find};
use super::routing::routing;
use crate::error::{Error, Kind};
use crate::exchange::respond;
use crate::proxy::Proxy;
use crate::route::Explanation;
use crate::snapshot::{Generation, GenerationCluster};
use crate::telemetry::record::{Address, Attempt, Candidate, Record, Trail};
use crate::upstream::cluster::{EndpointBreaker, OutlierState, Spell};

/// The answer to `why`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// What is recorded.
    pub record: Told,
    /// Generation in force now.
    pub generation_in_force: u32,
    /// The generation that decided is still known.
    pub generation_known: bool,
    /// The response flag in words; `None` without a flag.
    pub flag_in_words: Option<&'static str>,
    /// What to do about it; empty when the detail says it all.
    pub advice: &'static str,
    /// What policies decided, in words.
    pub policies: Vec<&'static str>,
    /// Which rules were passed over, and why; `None` when the generation is no longer known.
    pub routing: Option<Explanation>,
    /// The attempts in their order.
    pub attempts: Vec<AttemptTold>,
    /// Endpoints of the cluster that got no requests when it began, at most [`MAX_PASSED_OVER`].
    pub passed_over: Vec<PassedOver>,
    /// The names of recorded headers whose values are not kept, so that rules about them cannot be asked again.
    pub redacted: Vec<String>,
    /// Other records of the same id, which a client may send twice.
    pub others: usize,
}

/// One attempt, and whom the balancer chose it from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptTold {
    /// What is recorded.
    #[serde(flatten)]
    pub attempt: Attempt,
    /// It was made on a connection that had served before.
    pub reused: bool,
    /// Why it failed, in words; `None` when it did not.
    pub failure: Option<&'static str>,
    /// Whom the balancer compared.
    pub candidates: Vec<CandidateTold>,
}

/// An endpoint that was considered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateTold {
    /// Its address, as long as the generation is known.
    pub address: Option<String>,
    /// What the balancer compared: lower is better.
    pub score: f32,
    /// It was the one.
    pub picked: bool,
}

/// An endpoint that was kept from requests.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedOver {
    /// Its address.
    pub address: String,
    /// What kept it: `ejected` or `breaker-open`.
    pub by: &'static str,
    /// Since when, until when, why.
    #[serde(flatten)]
    pub spell: Spell,
}

/// Endpoints that are named.
const MAX_PASSED_OVER: usize = 16;

/// Everything about the newest exchange with this id. `None`: there is no record of it.
pub fn why(proxy: &Proxy, id: &str) -> Option<Why> {
    let query = Query { id: Some(id.to_owned()), ..Query::default() };
    let (found, _) = find(proxy, &query, 16);
    let others = found.len().saturating_sub(1);
    let (worker, read) = found.into_iter().next()?;
    let record = read.record;
    let generation = Generations::of(proxy).get(record.generation);
    let cluster = generation.as_deref().and_then(|generation| generation.clusters.get(usize::from(record.cluster)));
    let attempts = attempts(&record, &read.trail, cluster.map(|cluster| &**cluster));
    let passed_over = cluster.map(|cluster| passed_over(cluster, record.start_unix_us)).unwrap_or_default();
    let told = Told::of(worker, read, generation.as_deref());
    Some(Why {
        passed_over,
        routing: generation.as_deref().and_then(|generation| routing(&told, generation)),
        generation_in_force: proxy.number(),
        generation_known: generation.is_some(),
        flag_in_words: (record.flag as u8 != 0).then(|| record.flag.long()),
        advice: advice(&record),
        policies: record.marks.iter().map(|mark| mark.words()).collect(),
        attempts,
        redacted: generation.as_deref().map(redacted).unwrap_or_default(),
        others,
        record: told,
    })
}

/// The record's head tells of a single attempt; several stand in the trail.
fn attempts(record: &Record, trail: &Trail, cluster: Option<&GenerationCluster>) -> Vec<AttemptTold> {
    let single = || Attempt {
        started_us: record.head_us,
        connect_us: record.connect_us,
        ended_us: if record.upstream_status == 0 { record.total_us } else { record.first_byte_us },
        endpoint: record.endpoint,
        status: record.upstream_status,
        upstream: record.upstream,
        cause: if record.upstream_status == 0 { record.cause } else { 0 },
    };
    let all = match record.attempts {
        0 => Vec::new(),
        1 => vec![single()],
        _ => trail.attempts.clone(),
    };
    let told = (0_u8..).zip(all).map(|(number, attempt)| {
        let compared = trail.candidates.iter().filter(|candidate| candidate.attempt == number);
        AttemptTold {
            reused: attempt.connect_us == 0 && !never_connected(attempt.cause),
            failure: Kind::of_number(attempt.cause).map(|kind| kind.words()),
            candidates: compared.map(|candidate| told(candidate, &attempt, cluster, record.start_unix_us)).collect(),
            attempt,
        }
    });
    told.collect()
}

/// Of each endpoint the last time out and the last opening of its breaker are known.
fn passed_over(cluster: &GenerationCluster, unix_us: u64) -> Vec<PassedOver> {
    let set = cluster.membership.set();
    let spells = set.members().flat_map(|member| {
        let endpoint = &member.endpoint;
        let ejection = endpoint.known_outlier().and_then(OutlierState::last).map(|spell| ("ejected", spell));
        let opening = endpoint.known_breaker().and_then(EndpointBreaker::last).map(|spell| ("breaker-open", spell));
        let covering = [ejection, opening].into_iter().flatten().filter(|(_, spell)| spell.covers(unix_us));
        covering.map(|(by, spell)| PassedOver { address: endpoint.name.clone(), by, spell })
    });
    spells.take(MAX_PASSED_OVER).collect()
}

fn never_connected(cause: u8) -> bool {
    matches!(Kind::of_number(cause), Some(Kind::ConnectFailed | Kind::ConnectTimeout))
}

fn told(
    candidate: &Candidate,
    attempt: &Attempt,
    cluster: Option<&GenerationCluster>,
    started_unix_us: u64,
) -> CandidateTold {
    let picked = candidate.endpoint == attempt.endpoint;
    let address = if picked {
        (attempt.upstream != Address::NONE).then(|| attempt.upstream.to_string())
    } else {
        // An index means what it meant as long as the cluster has the same endpoints.
        let set = cluster.filter(|cluster| cluster.membership.changed_unix_us() < started_unix_us);
        let member = set.map(|cluster| cluster.membership.set());
        member.and_then(|set| set.member(candidate.endpoint.into()).map(|member| member.endpoint.name.clone()))
    };
    CandidateTold { address, score: candidate.score, picked }
}

fn advice(record: &Record) -> &'static str {
    let failed = Kind::of_number(record.cause).filter(|_| record.flag as u8 != 0 || record.upstream_status == 0);
    failed.map_or("", |kind| respond::verdict(&Error::new(kind, "")).advice)
}

fn redacted(generation: &Generation) -> Vec<String> {
    let records = &generation.records;
    let is_secret = |name: &&String| records.redact.iter().any(|secret| secret.eq_ignore_ascii_case(name));
    records.headers.iter().filter(is_secret).cloned().collect()
}
