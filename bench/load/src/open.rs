//! `open`: requests leave on a fixed schedule whatever the answers do, and latency counts from the moment a request
//! was meant to leave. A stall therefore shows in full: requests that found no free connection waited, too.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Fault};
use crate::client::{Client, Failure, Failures, Plan, Progress};
use crate::histogram::Histogram;
use crate::poller::{Interest, Poller, Ready};

const READ_BYTES: usize = 64 * 1024;
/// How long after the last send answers are awaited; what is missing then has failed.
const GRACE: Duration = Duration::from_secs(5);
/// A send this long after its intended time is late: the machine kept the generator waiting, or no connection was free.
const LATE: Duration = Duration::from_micros(250);
/// The kernel may delay a timed wait by this; its default of 50 µs would be part of every latency.
const TIMER_SLACK_NS: u64 = 1_000;

pub(crate) fn run(mut arguments: Arguments) -> Result<(), Fault> {
    let plan = Plan::take(&mut arguments)?;
    let connections = arguments.count("connections", 20_000)?;
    let rate = arguments.count("rate", 1_000_000)?;
    let seconds = arguments.seconds("seconds")?;
    arguments.finish()?;
    rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(TIMER_SLACK_NS))?;

    let poller = Poller::new()?;
    let mut clients = Vec::new();
    for token in 0..connections as usize {
        let client = Client::connect(&plan)?;
        poller.add(&client.socket, token, Interest::IN)?;
        clients.push(client);
    }
    let schedule = Schedule { start: Instant::now(), rate, total: (rate as f64 * seconds.as_secs_f64()) as u64 };
    let mut load = Load {
        plan,
        poller,
        idle: (0..clients.len()).collect(),
        clients,
        next: 0,
        starved: false,
        late: 0,
        queued: 0,
        histogram: Histogram::new(),
        failures: Failures::default(),
        scratch: vec![0; READ_BYTES],
    };
    load.drive(&schedule)?;
    load.report(&schedule);
    Ok(())
}

/// When each request is meant to leave.
struct Schedule {
    start: Instant,
    rate: u64,
    total: u64,
}

impl Schedule {
    fn at(&self, request: u64) -> Instant {
        let ns = u128::from(request) * 1_000_000_000 / u128::from(self.rate);
        self.start + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

struct Load {
    plan: Plan,
    poller: Poller,
    clients: Vec<Client>,
    /// Connections without a request, longest idle first.
    idle: VecDeque<usize>,
    /// The next request of the schedule to leave.
    next: u64,
    /// No connection was free at the last look: what leaves late now waited for the proxy.
    starved: bool,
    /// Late by the machine's fault: many of them, and the high percentiles are noise.
    late: u64,
    /// Late because every connection waited for an answer.
    queued: u64,
    histogram: Histogram,
    failures: Failures,
    scratch: Vec<u8>,
}

impl Load {
    fn drive(&mut self, schedule: &Schedule) -> Result<(), Fault> {
        let end = schedule.at(schedule.total) + GRACE;
        let mut ready = Ready::new();
        while self.histogram.total() + self.failures.count < schedule.total && !self.failures.too_many() {
            let now = Instant::now();
            if now >= end {
                break;
            }
            self.send_due(schedule, now)?;
            self.starved = self.idle.is_empty();
            let due = if self.next < schedule.total && !self.starved { schedule.at(self.next) } else { end };
            self.poller.wait_exactly(&mut ready, due.saturating_duration_since(Instant::now()))?;
            for token in ready.tokens() {
                self.serve(token)?;
            }
        }
        Ok(())
    }

    /// Sends every request whose time has come, as far as there are free connections.
    fn send_due(&mut self, schedule: &Schedule, now: Instant) -> Result<(), Fault> {
        while self.next < schedule.total && schedule.at(self.next) <= now {
            let Some(token) = self.idle.pop_front() else { break };
            let intended = schedule.at(self.next);
            self.next += 1;
            if now.duration_since(intended) > LATE {
                *if self.starved { &mut self.queued } else { &mut self.late } += 1;
            }
            let Some(client) = self.clients.get_mut(token) else { continue };
            if let Err(failure) = client.ask(&self.plan, intended) {
                self.replace(token, &failure)?;
            }
        }
        Ok(())
    }

    fn serve(&mut self, token: usize) -> Result<(), Fault> {
        let Some(client) = self.clients.get_mut(token) else { return Ok(()) };
        match client.listen(&mut self.scratch) {
            Ok(Progress::Waiting) => return Ok(()),
            Ok(progress) => {
                let asked = client.since.take();
                if let Some(since) = asked {
                    self.histogram.record(since.elapsed());
                }
                if progress == Progress::AnsweredAndClosed {
                    self.reopen(token)?;
                }
                if asked.is_some() {
                    self.idle.push_back(token);
                }
            }
            Err(failure) => self.replace(token, &failure)?,
        }
        Ok(())
    }

    /// Counts the failure of the request on this connection, which starts anew.
    fn replace(&mut self, token: usize, failure: &Failure) -> Result<(), Fault> {
        let busy = self.clients.get(token).is_some_and(|client| client.since.is_some());
        self.reopen(token)?;
        if busy {
            self.failures.add(failure);
            self.idle.push_back(token);
        }
        Ok(())
    }

    fn reopen(&mut self, token: usize) -> Result<(), Fault> {
        let client = Client::connect(&self.plan)?;
        self.poller.add(&client.socket, token, Interest::IN)?;
        if let Some(slot) = self.clients.get_mut(token) {
            *slot = client;
        }
        Ok(())
    }

    /// Requests still unanswered are failures, and their waiting so far is part of the latencies: a stall that
    /// outlasts the run cannot hide.
    fn report(&mut self, schedule: &Schedule) {
        let waiting: Vec<_> = self.clients.iter().filter_map(|client| client.since).collect();
        let unsent = (self.next..schedule.total).map(|request| schedule.at(request));
        for since in waiting.into_iter().chain(unsent) {
            self.histogram.record(since.elapsed());
            self.failures.add(&Failure::Stalled);
        }
        let us = |share| self.histogram.percentile_us(share);
        println!(
            "{{\"requests\":{},{},\"late_sends\":{},\"queued_sends\":{},\"p50_us\":{:.1},\"p90_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1},\"max_us\":{:.1}}}",
            self.histogram.total(),
            self.failures.json(),
            self.late,
            self.queued,
            us(0.5),
            us(0.9),
            us(0.99),
            us(0.999),
            self.histogram.max_us(),
        );
    }
}
