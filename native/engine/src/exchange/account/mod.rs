//! What one exchange was: filled by the phases, written once at its end to ring, metrics and access log.

mod beside;
mod ending;
mod heard;
mod request_id;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use smallvec::SmallVec;

use beside::Beside;
pub use beside::Lost;

use crate::error::{Error, Kind, Source};
use crate::exchange::downstream::Downstream;
use crate::exchange::respond::Verdict;
use crate::exchange::trace::Carried;
use crate::http::head::{Known, RequestHead, ResponseHead, Version};
use crate::snapshot::{Endpoint, GenerationCluster, GenerationRoute};
use crate::telemetry::access_log::Entry;
use crate::telemetry::flags::Flag;
use crate::telemetry::metrics::{ClusterCounter, Counter};
use crate::telemetry::record::{Address, Attempt, Candidate, Mark, Marks, Protocol, Record, Texts, frame};
use crate::upstream::cluster::{Load, Picked, Probe};
use crate::upstream::retry::Stop;
use crate::worker::Worker;
use crate::worker::serving::View;
use request_id::uuid;

/// A request id of the client's is kept up to this length; a longer one is replaced.
const MAX_REQUEST_ID: usize = 128;

/// The account of one exchange.
pub struct Account {
    worker: Rc<Worker>,
    view: View,
    /// When its first byte was seen.
    pub started: Instant,
    record: Record,
    attempt_started: Instant,
    generated_id: Option<[u8; 36]>,
    endpoint: Option<Arc<Endpoint>>,
    /// Its part of what the cluster's balancer bounds.
    load: Option<Load>,
    /// The present attempt tries whether the endpoint's breaker may close.
    probe: Option<Probe>,
    /// A second attempt beside the present one.
    beside: Option<Box<Beside>>,
    /// One that was over before the present one.
    after: Option<Attempt>,
    /// The attempts before the present one; empty, and without memory, while nothing failed.
    past: Vec<Attempt>,
    /// Whom the balancer compared, attempt by attempt.
    candidates: SmallVec<[Candidate; 4]>,
    /// Answer headers that the access log asks for, in its order; empty before the answer.
    response_headers: Vec<Option<Vec<u8>>>,
    /// As many retries as the policy has were made.
    retries_spent: bool,
    detail: &'static str,
    /// What filters say of their decisions; in records it takes the place of the detail.
    note: Option<Box<str>>,
    closed: bool,
}

impl Account {
    /// Begins with the request's first byte.
    pub fn open(worker: &Rc<Worker>, view: &View, downstream: &Downstream, started: Instant) -> Self {
        worker.begin_exchange(view.listener().direction);
        let head_us = micros(started, weft_rt::now());
        let record = Record {
            start_unix_us: weft_rt::unix_micros().saturating_sub(head_us.into()),
            head_us,
            generation: view.generation.number,
            listener: view.index(),
            downstream: downstream.socket.map_or(Address::UNIX, Address::from),
            ..Record::default()
        };
        Self {
            worker: Rc::clone(worker),
            view: view.clone(),
            started,
            record,
            attempt_started: started,
            generated_id: None,
            endpoint: None,
            load: None,
            probe: None,
            beside: None,
            after: None,
            past: Vec::new(),
            candidates: SmallVec::new(),
            response_headers: Vec::new(),
            retries_spent: false,
            detail: "",
            note: None,
            closed: false,
        }
    }

    /// The head is known: the exchange gets its id.
    pub fn request(&mut self, head: &RequestHead) {
        self.record.protocol = if head.version == Version::Http10 { Protocol::Http10 } else { Protocol::Http11 };
        let given = head.get(Known::XRequestId).is_some_and(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID);
        if !given {
            self.generated_id = Some(uuid());
        }
    }

    /// The trace that it belongs to.
    pub fn traced(&mut self, carried: Carried) {
        self.record.trace_id = carried.trace;
        if carried.sampled {
            self.mark(Mark::Sampled);
        }
    }

    /// The client, where trusted proxies name another one than the connection's other end.
    pub fn came_from(&mut self, client: IpAddr) {
        self.record.downstream = Address::from(SocketAddr::new(client, 0));
    }

    /// The id made for the exchange; `None` when the client brought one.
    pub fn generated_id(&self) -> Option<&str> {
        self.generated_id.as_ref().and_then(|id| std::str::from_utf8(id).ok())
    }

    /// The same as bytes; empty when the client brought one.
    pub fn own_id(&self) -> &[u8] {
        self.generated_id.as_ref().map_or(&[], |id| id)
    }

    /// Where the last attempt went.
    pub fn upstream(&self) -> Address {
        self.record.upstream
    }

    /// Status that the endpoint sent; 0 for none.
    pub fn upstream_status(&self) -> u16 {
        self.record.upstream_status
    }

    /// The exchange's id, whoever made it.
    pub fn request_id<'a>(&'a self, head: &'a RequestHead) -> &'a [u8] {
        match &self.generated_id {
            Some(id) => id,
            None => head.get(Known::XRequestId).unwrap_or_default(),
        }
    }

    /// A route was chosen.
    pub fn routed(&mut self, route: &GenerationRoute) {
        self.record.route = route.index;
    }

    /// A cluster was chosen.
    pub fn clustered(&mut self, cluster: &GenerationCluster) {
        self.record.cluster = cluster.index;
    }

    /// The head could not be read: what is answered has an id all the same.
    pub fn request_unread(&mut self) {
        self.generated_id = Some(uuid());
    }

    /// A policy decided something that the record should tell.
    pub fn mark(&mut self, mark: Mark) {
        self.record.marks.set(mark);
        match mark {
            Mark::RateLimited => self.worker.count(Counter::RateLimited, 1),
            Mark::RateLimitShadowed => self.worker.count(Counter::RateLimitShadowed, 1),
            Mark::RateLimitPaced => self.worker.count(Counter::RateLimitPaced, 1),
            Mark::FaultDelayed => {
                self.record.flag = Flag::DelayInjected;
                self.worker.count(Counter::FaultsInjected, 1);
            }
            Mark::OverrideIgnored => self.worker.count(Counter::OverridesIgnored, 1),
            Mark::FaultAborted | Mark::FaultThrottled => self.worker.count(Counter::FaultsInjected, 1),
            Mark::Hedged => self.count_cluster(ClusterCounter::Hedges),
            Mark::HedgeWon => self.count_cluster(ClusterCounter::HedgesWon),
            Mark::HedgeCapped => self.count_cluster(ClusterCounter::HedgesRefused),
            Mark::BudgetForged => self.worker.count(Counter::BudgetsForged, 1),
            Mark::BudgetReplayed => self.worker.count(Counter::BudgetsReplayed, 1),
            Mark::BudgetExpired => self.worker.count(Counter::BudgetsExpired, 1),
            Mark::ConcurrencyLimited => self.count_cluster(ClusterCounter::ConcurrencyLimited),
            Mark::Shed => self.worker.count(Counter::RequestsShed, 1),
            Mark::RetryBudgetSpent => self.count_cluster(ClusterCounter::RetriesRefused),
            Mark::RequestsOverflow | Mark::PendingOverflow | Mark::ConnectionsOverflow => {
                self.count_cluster(ClusterCounter::Overflows);
            }
            Mark::Panic => self.count_cluster(ClusterCounter::PanicPicks),
            Mark::LowerPriority => self.count_cluster(ClusterCounter::LowerPriorityPicks),
            Mark::CrossZone => self.count_cluster(ClusterCounter::CrossZonePicks),
            Mark::SubsetFallback => self.count_cluster(ClusterCounter::SubsetFallbacks),
            Mark::Fallback => self.count_cluster(ClusterCounter::Fallbacks),
            Mark::BreakersOpen => self.count_cluster(ClusterCounter::BreakerRefusals),
            Mark::Probe => self.count_cluster(ClusterCounter::Probes),
            _ => {}
        }
    }

    fn count_cluster(&self, counter: ClusterCounter) {
        self.worker.count_cluster(self.record.cluster, &self.view.generation, counter);
    }

    fn count_both(&self, counter: Counter, of_cluster: ClusterCounter) {
        self.worker.count(counter, 1);
        self.count_cluster(of_cluster);
    }

    /// The balancer compares this endpoint for the attempt that comes next; the lowest score is picked.
    pub fn compared(&mut self, endpoint: u16, score: f32) {
        self.candidates.push(Candidate { attempt: self.record.attempts, endpoint, score });
    }

    /// The balancer has picked, between the ones it compared: there goes the next attempt.
    pub fn picked(&mut self, picked: Picked) -> Arc<Endpoint> {
        self.weighed(&picked);
        self.attempt(picked.index, &picked.endpoint);
        self.load = picked.load;
        self.probe = picked.probe;
        picked.endpoint
    }

    /// Whom the balancer compared for the attempt that comes next, and what led to its pick.
    fn weighed(&mut self, picked: &Picked) {
        picked.candidates.as_slice().iter().for_each(|(endpoint, score)| self.compared(*endpoint, *score));
        if picked.marks != Marks::default() {
            picked.marks.iter().for_each(|mark| self.mark(mark));
        }
        if picked.probe.is_some() {
            self.mark(Mark::Probe);
        }
    }

    /// An endpoint was picked.
    pub fn attempt(&mut self, index: u16, endpoint: &Arc<Endpoint>) {
        self.leave_endpoint();
        self.record.connect_us = 0;
        self.record.endpoint = index;
        self.record.upstream = endpoint.recorded;
        self.record.attempts = self.record.attempts.saturating_add(1);
        self.attempt_started = weft_rt::now();
        endpoint.active.fetch_add(1, Ordering::Relaxed);
        endpoint.requests.fetch_add(1, Ordering::Relaxed);
        self.endpoint = Some(Arc::clone(endpoint));
    }

    /// A pooled connection to this address serves the attempt.
    pub fn reused(&mut self, address: Address) {
        self.record.upstream = address;
        self.count_both(Counter::UpstreamConnectionsReused, ClusterCounter::ConnectionsReused);
    }

    /// A new connection was tried; where it stands, its address is known.
    pub fn connected(&mut self, established: Option<Address>) {
        self.count_both(Counter::UpstreamConnections, ClusterCounter::Connections);
        if let Some(address) = established {
            self.record.upstream = address;
            self.record.connect_us = micros(self.attempt_started, weft_rt::now()).max(1);
        } else {
            self.count_both(Counter::UpstreamConnectionsFailed, ClusterCounter::ConnectionsFailed);
        }
    }

    /// The policy would try again, but this attempt is the last one.
    pub fn retries_stopped(&mut self, why: Stop) {
        self.retries_spent = why == Stop::Spent;
        self.mark(match why {
            Stop::Spent => Mark::RetriesSpent,
            Stop::Body => Mark::BodyNotRepeatable,
            Stop::Budget => Mark::RetryBudgetSpent,
            Stop::Time => Mark::RetryTooLate,
            Stop::Allowance => Mark::AllowanceSpent,
            Stop::Nearer => Mark::RetriedNearer,
        });
    }

    /// The attempt as it stands now.
    fn present(&self, ended_us: u32, status: u16) -> Attempt {
        Attempt {
            started_us: micros(self.started, self.attempt_started),
            connect_us: self.record.connect_us,
            ended_us,
            endpoint: self.record.endpoint,
            status,
            upstream: self.record.upstream,
            cause: if status == 0 { self.record.cause } else { 0 },
        }
    }

    /// The bytes behind the texts: nothing for an exchange whose record's head tells it all.
    fn trail(&mut self) -> crate::telemetry::record::Framed {
        let is_under_way = self.past.len() < usize::from(self.record.attempts);
        let several = !self.past.is_empty() || self.after.is_some();
        if several && is_under_way {
            let record = &self.record;
            let ended = if record.upstream_status == 0 { record.total_us } else { record.first_byte_us };
            let last = self.present(ended, record.upstream_status);
            self.past.push(last);
            self.past.extend(self.after.take());
        }
        frame(self.told(), &self.past, &self.candidates)
    }

    /// The answer's head is here.
    pub fn answered(&mut self, head: &ResponseHead) {
        let now = weft_rt::now();
        self.record.first_byte_us = micros(self.started, now).max(1);
        self.heard_answer(now, head);
        self.record.upstream_status = head.status;
        if self.retries_spent {
            self.record.flag = Flag::UpstreamRetryLimitExceeded;
        }
        self.restated(head);
    }

    /// Filters have seen the answer and may have changed it.
    pub fn restated(&mut self, head: &ResponseHead) {
        self.record.status = head.status;
        if let Some(log) = &self.view.listener().access_log {
            let find = |name: &String| head.find(name.as_bytes()).map(<[u8]>::to_vec);
            self.response_headers = log.format.response_headers().iter().map(find).collect();
        }
    }

    /// Body bytes read from the client.
    pub fn request_bytes(&mut self, bytes: u64) {
        self.record.request_bytes = bytes;
    }

    /// Body bytes sent to the client.
    pub fn response_bytes(&mut self, bytes: u64) {
        self.record.response_bytes = bytes;
    }

    /// The exchange failed.
    pub fn failed(&mut self, error: &Error, verdict: &Verdict) {
        let exceeded = self.retries_spent && error.source() == Source::Upstream;
        self.record.flag = if exceeded { Flag::UpstreamRetryLimitExceeded } else { verdict.flag };
        self.record.cause = error.kind.number();
        self.detail = error.detail;
        if error.kind == Kind::BreakersOpen {
            self.mark(Mark::BreakersOpen);
        }
        self.count_timeout(error);
        if error.source() == Source::Upstream {
            self.heard_failure(weft_rt::now(), error);
        }
    }

    /// What filters say of their decisions.
    pub fn note(&mut self, note: Option<Box<str>>) {
        self.note = note;
    }

    fn told(&self) -> &str {
        self.note.as_deref().unwrap_or(self.detail)
    }

    /// A local reply was made.
    pub fn replied(&mut self, status: u16, bytes: usize) {
        self.record.status = status;
        self.record.response_bytes = bytes as u64;
    }

    /// The end: everything that reads records gets this one.
    pub fn close(mut self, head: Option<&RequestHead>) {
        self.record.total_us = micros(self.started, weft_rt::now());
        if matches!(self.record.flag, Flag::DownstreamProtocolError) {
            self.worker.count(Counter::ParseErrors, 1);
        }
        let trail = self.trail();
        let captured = head.map(|head| self.capture(head)).unwrap_or_default();
        let texts = match head {
            None => Texts { request_id: self.own_id(), trail: &trail, ..Texts::default() },
            Some(head) => Texts {
                request_id: self.request_id(head),
                method: head.text(head.method_text),
                authority: head.text(head.authority),
                path: wire_target(head),
                headers: &captured,
                trail: &trail,
            },
        };
        let mut record = self.record;
        self.worker.write_record(&mut record, &texts, &self.view.generation);
        self.log(&record, &texts, head);
        self.closed = true;
    }

    fn log(&self, record: &Record, texts: &Texts<'_>, head: Option<&RequestHead>) {
        let (Some(log), Some(queue)) = (&self.view.listener().access_log, &self.view.log) else { return };
        let find = |name: &String| head.and_then(|head| head.find(name.as_bytes()));
        let request_headers: SmallVec<[Option<&[u8]>; 8]> = log.format.request_headers().iter().map(find).collect();
        let response_headers: SmallVec<[Option<&[u8]>; 4]> =
            self.response_headers.iter().map(|value| value.as_deref()).collect();
        let generation = &self.view.generation;
        let route = generation.routes.get(usize::from(record.route)).map_or("", |route| &route.name);
        let cluster = generation.clusters.get(usize::from(record.cluster)).map_or("", |cluster| &cluster.name);
        let entry = Entry {
            record,
            texts,
            request_headers: &request_headers,
            response_headers: &response_headers,
            listener: &self.view.listener().name,
            route,
            cluster,
            downstream_local: Address::from(&self.view.listener().address),
            detail: self.told(),
        };
        let mut line = self.worker.buffers.take_output();
        log.format.format(&entry, &mut line);
        if !queue.push(&line) {
            self.worker.count(Counter::LogLinesDropped, 1);
        }
        self.worker.buffers.give_output(line);
    }

    fn capture<'a>(&self, head: &'a RequestHead) -> SmallVec<[(u8, &'a [u8]); 4]> {
        let names = &self.view.generation.records.headers;
        (0_u8..).zip(names).filter_map(|(place, name)| head.find(name.as_bytes()).map(|value| (place, value))).collect()
    }

    fn count_timeout(&self, error: &Error) {
        if matches!(
            error.kind,
            Kind::ConnectTimeout | Kind::FirstByteTimeout | Kind::ExchangeTimeout | Kind::DeadlinePassed
        ) {
            self.count_cluster(ClusterCounter::Timeouts);
        }
    }

    fn leave_endpoint(&mut self) {
        self.load = None;
        // Nothing came of it: the next request may try.
        self.probe = None;
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.active.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The target as it stood on the wire: between the method and the next space.
fn wire_target(head: &RequestHead) -> &[u8] {
    let behind = head.bytes.get(head.method_text.end as usize + 1..).unwrap_or_default();
    let end = memchr::memchr(b' ', behind).unwrap_or(0);
    behind.get(..end).unwrap_or_default()
}

fn micros(from: Instant, to: Instant) -> u32 {
    u32::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u32::MAX)
}
