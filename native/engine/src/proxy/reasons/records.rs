//! The list of records that fit a question.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Generations;
use crate::proxy::Proxy;
use crate::snapshot::Generation;
use crate::telemetry::flags::Flag;
use crate::telemetry::record::{Address, Attempt, Marks, Protocol, Record, RecordOwned};

/// Records of one answer, at most.
const MAX_RECORDS: usize = 1_000;
/// Records looked at while a worker's ring is held.
const PORTION: u64 = 128;

/// Which records are asked for. What is `None` does not matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    /// The request's id.
    pub id: Option<String>,
    /// Name of the route; `-` for exchanges that no route took.
    pub route: Option<String>,
    /// Lowest status.
    pub status_min: Option<u16>,
    /// Highest status.
    pub status_max: Option<u16>,
    /// Response flag, in short.
    pub flag: Option<String>,
    /// Earliest begin, µs since 1970.
    pub since_unix_us: Option<u64>,
    /// Latest begin, µs since 1970: what a list goes on with that was cut.
    pub until_unix_us: Option<u64>,
    /// How many, newest first.
    pub limit: Option<usize>,
}

/// Records that fit, newest first.
#[derive(Debug, Serialize)]
pub struct RecordList {
    /// The records.
    pub records: Vec<Told>,
    /// There may be more than were asked for.
    pub more: bool,
}

/// A record with the names of the generation that it ran under.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// The request's id.
    pub id: String,
    /// Begin, µs since 1970.
    pub start_unix_us: u64,
    /// The worker, and the record's number there.
    pub worker: usize,
    /// The record's number in its worker.
    pub seq: u64,
    /// Generation that decided.
    pub generation: u32,
    /// Name of the listener.
    pub listener: Option<String>,
    /// Name of the route.
    pub route: Option<String>,
    /// Name of the cluster.
    pub cluster: Option<String>,
    /// Where the last attempt went.
    pub upstream: Address,
    /// The client's address.
    pub downstream: Address,
    /// What was spoken with the client.
    pub protocol: Protocol,
    /// Method as written.
    pub method: String,
    /// Authority as sent.
    pub authority: String,
    /// Path and query as received.
    pub path: String,
    /// The recorded headers by name.
    pub headers: BTreeMap<String, String>,
    /// Status sent to the client; 0 when no answer began.
    pub status: u16,
    /// Status that the endpoint sent; 0 for none.
    pub upstream_status: u16,
    /// Response flag, in short.
    pub flag: Flag,
    /// Why it failed; empty when it did not.
    pub detail: String,
    /// What policies decided.
    pub marks: Marks,
    /// Upstream attempts.
    pub attempt_count: u8,
    /// Body bytes of the request.
    pub request_bytes: u64,
    /// Body bytes of the answer.
    pub response_bytes: u64,
    /// First byte to the end of the head, µs.
    pub head_us: u32,
    /// Start to the answer's first byte, µs; 0 when there was none.
    pub first_byte_us: u32,
    /// Start to end, µs.
    pub total_us: u32,
    /// The trace that it belongs to.
    #[serde(serialize_with = "crate::telemetry::record::hex")]
    pub trace_id: [u8; 16],
    /// The attempts, when there were several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

/// Lists the records that fit.
pub fn list(proxy: &Proxy, query: &Query) -> RecordList {
    let limit = query.limit.unwrap_or(100).min(MAX_RECORDS);
    let (mut found, more) = find(proxy, query, limit);
    found.truncate(limit);
    let mut generations = Generations::of(proxy);
    let records = found
        .into_iter()
        .map(|(worker, read)| {
            let generation = generations.get(read.record.generation);
            Told::of(worker, read, generation.as_deref())
        })
        .collect();
    RecordList { records, more }
}

/// Records that fit with their worker, newest first: all workers' first `limit`, and whether one had more.
pub(super) fn find(proxy: &Proxy, query: &Query, limit: usize) -> (Vec<(usize, RecordOwned)>, bool) {
    let mut generations = Generations::of(proxy);
    let mut all = Vec::new();
    let mut more = false;
    for slot in proxy.slots() {
        let mut found = Vec::new();
        let mut before = Some(u64::MAX);
        while let Some(from) = before.filter(|_| found.len() <= limit) {
            let fits = |record: &Record, id: &[u8]| query.fits(record, id);
            before = slot.ring.lock().select(from, PORTION, &fits, &mut found);
            found.retain(|read| query.fits_names(read, &mut generations));
        }
        more |= found.len() > limit;
        all.extend(found.into_iter().map(|read| (slot.index, read)));
    }
    all.sort_by_key(|(_, read)| std::cmp::Reverse(read.record.start_unix_us));
    more |= all.len() > limit;
    (all, more)
}

impl Query {
    /// What the record itself tells.
    fn fits(&self, record: &Record, id: &[u8]) -> bool {
        self.id.as_ref().is_none_or(|wanted| wanted.as_bytes() == id)
            && self.status_min.is_none_or(|least| record.status >= least)
            && self.status_max.is_none_or(|most| record.status <= most)
            && self.flag.as_ref().is_none_or(|flag| flag.eq_ignore_ascii_case(record.flag.short()))
            && self.since_unix_us.is_none_or(|since| record.start_unix_us >= since)
            && self.until_unix_us.is_none_or(|until| record.start_unix_us <= until)
    }

    /// What its generation tells. A record whose generation is gone has no route's name.
    fn fits_names(&self, read: &RecordOwned, generations: &mut Generations<'_>) -> bool {
        let Some(wanted) = &self.route else { return true };
        let generation = generations.get(read.record.generation);
        let route = generation.as_deref().and_then(|generation| route_name(&read.record, generation));
        match route {
            Some(name) => name == *wanted,
            None => wanted == "-" && read.record.route == crate::telemetry::record::NONE,
        }
    }
}

fn route_name(record: &Record, generation: &Generation) -> Option<String> {
    generation.routes.get(usize::from(record.route)).map(|route| route.name.to_string())
}

impl Told {
    /// A record with the names of its generation, as long as that is known.
    pub(super) fn of(worker: usize, read: RecordOwned, generation: Option<&Generation>) -> Self {
        let RecordOwned { record, request_id, method, authority, path, headers, trail } = read;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let names = generation.map(|generation| generation.records.headers.as_slice()).unwrap_or_default();
        let named = headers.into_iter().map(|(place, value)| {
            let name = names.get(usize::from(place)).cloned().unwrap_or_else(|| format!("header {place}"));
            (name, text(value))
        });
        let listener = generation.and_then(|generation| generation.listeners.get(usize::from(record.listener)));
        let cluster = generation.and_then(|generation| generation.clusters.get(usize::from(record.cluster)));
        Self {
            id: text(request_id),
            start_unix_us: record.start_unix_us,
            worker,
            seq: record.seq,
            generation: record.generation,
            listener: listener.map(|listener| listener.name.to_string()),
            route: generation.and_then(|generation| route_name(&record, generation)),
            cluster: cluster.map(|cluster| cluster.name.to_string()),
            upstream: record.upstream,
            downstream: record.downstream,
            protocol: record.protocol,
            method: text(method),
            authority: text(authority),
            path: text(path),
            headers: named.collect(),
            status: record.status,
            upstream_status: record.upstream_status,
            flag: record.flag,
            detail: trail.detail,
            marks: record.marks,
            attempt_count: record.attempts,
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            head_us: record.head_us,
            first_byte_us: record.first_byte_us,
            total_us: record.total_us,
            trace_id: record.trace_id,
            attempts: trail.attempts,
        }
    }
}
