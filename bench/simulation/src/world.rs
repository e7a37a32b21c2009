//! A minute of virtual time: requests come by chance, the engine's balancer sends each to an endpoint and hears of its end.
//!
//! Invariant: nothing here waits or reads a clock; the same seed gives the same minute.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use weft_engine::error::Kind;
use weft_engine::route::key_hash;
use weft_engine::snapshot::{ClusterBook, Endpoint, LoadBalancer, Membership, Moment, Place, Wanted};
use weft_engine::upstream::cluster::{Heard, Load, Picker, Wish, choose, learn};

use crate::scenario::{Change, ENDPOINTS, RATE, SECONDS, Scenario, TIMEOUT_S};
use crate::service::{Manner, Outcome, Service};
use crate::summary::Summary;

const SECOND_US: u64 = 1_000_000;
/// Who asks, for balancers by hash; some far more often than others.
const USERS: f64 = 10_000.0;

/// What happens at a moment; the request is a place in `requests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Change(usize),
    Arrives,
    Answered(u32, u16),
    GivenUp(u32),
}

/// A request under way.
struct Request {
    began_us: u64,
    service: usize,
    endpoint: Arc<Endpoint>,
    /// Who asked has heard of its end.
    over: bool,
    _load: Option<Load>,
}

/// Everything there is.
struct World {
    now_us: u64,
    random: Rng,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduled: u64,
    book: ClusterBook,
    membership: Arc<Membership>,
    load_balancer: LoadBalancer,
    picker: Picker,
    services: Vec<Service>,
    requests: Vec<Option<Request>>,
    summary: Summary,
}

/// Plays a scenario for a balancer.
pub fn play(scenario: &Scenario, load_balancer: LoadBalancer, seed: u64) -> Summary {
    let mut book = ClusterBook::default();
    let membership = book.membership("app");
    book.set_table("app", load_balancer.table());
    book.change("app", (0..ENDPOINTS).map(wanted).collect(), &[], true);
    let mut world = World {
        now_us: SECOND_US,
        random: Rng::with_seed(seed),
        events: BinaryHeap::new(),
        scheduled: 0,
        book,
        membership,
        load_balancer,
        picker: Picker::with_seed(seed),
        services: (0..ENDPOINTS).map(|_| Service::new(Manner::Well, SECOND_US)).collect(),
        requests: Vec::new(),
        summary: Summary::default(),
    };
    for (at, (second, _)) in scenario.changes.iter().enumerate() {
        world.schedule(second * SECOND_US, Event::Change(at));
    }
    world.schedule(0, Event::Arrives);
    let end = world.now_us + SECONDS * SECOND_US;
    while let Some(Reverse((at, _, event))) = world.events.pop() {
        world.now_us = at;
        match event {
            Event::Change(place) => {
                scenario.changes.get(place).into_iter().for_each(|(_, change)| world.change(*change))
            }
            Event::Arrives if at < end => world.arrives(),
            Event::Arrives => {}
            Event::Answered(request, status) => world.answered(request, status),
            Event::GivenUp(request) => world.given_up(request),
        }
    }
    world.summary.asked = world.services.iter().map(|service| service.asked).collect();
    world.summary
}

/// The endpoint with the place's name.
fn wanted(at: usize) -> Wanted {
    let socket = SocketAddr::from(([10, 0, 0, 0], u16::try_from(at + 1).unwrap_or(u16::MAX)));
    Wanted { name: socket.to_string(), reach: socket.into(), weight: 1, place: Place::default() }
}

impl World {
    fn moment(&self) -> Moment {
        Moment(self.now_us / 1_000)
    }

    fn schedule(&mut self, after_us: u64, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((self.now_us + after_us, self.scheduled, event)));
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Manner(at, manner) => {
                if let Some(service) = self.services.get_mut(at) {
                    service.becomes(manner);
                }
            }
            Change::Comes(at, manner) => {
                let now_us = self.now_us;
                self.services.resize_with(at + 1, || Service::new(manner, now_us));
                self.book.change("app", vec![wanted(at)], &[], false);
                let moment = self.moment();
                let name = wanted(at).name;
                // The book reads the process's clock; here another one counts.
                let set = self.membership.set();
                set.members()
                    .filter(|member| member.endpoint.name == name)
                    .for_each(|member| member.endpoint.warms_since(moment));
            }
            Change::Goes(at) => {
                self.book.change("app", Vec::new(), &[wanted(at).name], false);
            }
        }
    }

    fn arrives(&mut self) {
        let pause = -(1.0 - self.random.f64()).ln() * SECOND_US as f64 / RATE;
        self.schedule(pause as u64, Event::Arrives);
        let user = (self.random.f64().powi(2) * USERS) as u64;
        let wish = Wish { hash: Some(key_hash(&user.to_le_bytes())), now: self.moment(), ..Wish::default() };
        let Some(picked) = choose(&self.picker, &self.membership, self.load_balancer, &wish) else { return };
        picked.endpoint.active.fetch_add(1, Ordering::Relaxed);
        let port = picked.endpoint.name.rsplit(':').next().and_then(|port| port.parse::<usize>().ok());
        let service = port.unwrap_or(1) - 1;
        let request = u32::try_from(self.requests.len()).unwrap_or(u32::MAX);
        self.requests.push(Some(Request {
            began_us: self.now_us,
            service,
            endpoint: picked.endpoint,
            over: false,
            _load: picked.load,
        }));
        self.schedule(TIMEOUT_S * SECOND_US, Event::GivenUp(request));
        let begun =
            self.services.get_mut(service).and_then(|service| service.comes(request, self.now_us, &mut self.random));
        self.begun(request, begun);
    }

    fn begun(&mut self, request: u32, outcome: Option<Outcome>) {
        if let Some(Outcome::Answers(status, after_us)) = outcome {
            self.schedule(after_us, Event::Answered(request, status));
        }
    }

    /// The service is done with a request, whether somebody still waits for it or not.
    fn answered(&mut self, number: u32, status: u16) {
        let Some(request) = self.requests.get_mut(number as usize).and_then(Option::take) else { return };
        if !request.over {
            let took_us = self.now_us - request.began_us;
            let first_byte_us = u32::try_from(took_us).unwrap_or(u32::MAX);
            self.end(&request, &Heard::Answer { status, first_byte_us, retry_after_s: None });
            self.summary.ended(took_us, status < 500);
        }
        let next =
            self.services.get_mut(request.service).and_then(|service| service.freed(self.now_us, &mut self.random));
        if let Some((waited, outcome)) = next {
            self.begun(waited, Some(outcome));
        }
    }

    /// Nobody waits for the answer any more. The service does not know.
    fn given_up(&mut self, number: u32) {
        let Some(request) = self.requests.get_mut(number as usize).and_then(Option::as_mut) else { return };
        request.over = true;
        let took_us = self.now_us - request.began_us;
        let endpoint = Arc::clone(&request.endpoint);
        request._load = None;
        self.summary.ended(took_us, false);
        let took_us = u32::try_from(took_us).unwrap_or(u32::MAX);
        self.heard(&endpoint, &Heard::Failure { kind: Kind::FirstByteTimeout, took_us });
    }

    fn end(&self, request: &Request, heard: &Heard) {
        self.heard(&request.endpoint, heard);
    }

    fn heard(&self, endpoint: &Endpoint, heard: &Heard) {
        endpoint.active.fetch_sub(1, Ordering::Relaxed);
        learn(&self.load_balancer, endpoint, heard, || self.moment());
    }
}
