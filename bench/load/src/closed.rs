//! `closed`: each connection asks again as soon as it was answered. For CPU per request and rates; its latencies hide
//! stalls (see `open`).

use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Fault};
use crate::client::{Client, Failure, Failures, Plan, Progress};
use crate::histogram::Histogram;
use crate::poller::{Interest, Poller, Ready};

const READ_BYTES: usize = 64 * 1024;
/// A request still unanswered at the end of a run that is older than this has failed.
const STALL: Duration = Duration::from_secs(1);

pub(crate) fn run(mut arguments: Arguments) -> Result<(), Fault> {
    let plan = Plan::take(&mut arguments)?;
    let connections = arguments.count("connections", 20_000)?;
    let seconds = arguments.seconds("seconds")?;
    let requests = arguments.take("requests")?.unwrap_or(u64::MAX);
    arguments.finish()?;

    let mut load = Load {
        plan,
        poller: Poller::new()?,
        clients: Vec::new(),
        histogram: Histogram::new(),
        failures: Failures::default(),
        scratch: vec![0; READ_BYTES],
    };
    for token in 0..connections as usize {
        load.open(token)?;
    }
    let start = Instant::now();
    for token in 0..load.clients.len() {
        load.ask(token)?;
    }
    let mut ready = Ready::new();
    while load.histogram.total() < requests && !load.failures.too_many() {
        let left = seconds.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        load.poller.wait(&mut ready, Some(left))?;
        for token in ready.tokens() {
            load.serve(token)?;
        }
    }
    load.report(start.elapsed());
    Ok(())
}

struct Load {
    plan: Plan,
    poller: Poller,
    clients: Vec<Client>,
    histogram: Histogram,
    failures: Failures,
    scratch: Vec<u8>,
}

impl Load {
    /// Opens the connection `token`, or opens it anew.
    fn open(&mut self, token: usize) -> Result<(), Fault> {
        let client = Client::connect(&self.plan)?;
        self.poller.add(&client.socket, token, Interest::IN)?;
        match self.clients.get_mut(token) {
            Some(slot) => *slot = client,
            None => self.clients.push(client),
        }
        Ok(())
    }

    fn ask(&mut self, token: usize) -> Result<(), Fault> {
        while !self.failures.too_many() {
            let Some(client) = self.clients.get_mut(token) else { break };
            let Err(failure) = client.ask(&self.plan, Instant::now()) else { break };
            self.failures.add(&failure);
            self.open(token)?;
        }
        Ok(())
    }

    fn serve(&mut self, token: usize) -> Result<(), Fault> {
        let Some(client) = self.clients.get_mut(token) else { return Ok(()) };
        match client.listen(&mut self.scratch) {
            Ok(Progress::Waiting) => return Ok(()),
            Ok(progress) => {
                if let Some(since) = client.since.take() {
                    self.histogram.record(since.elapsed());
                }
                if progress == Progress::AnsweredAndClosed {
                    self.open(token)?;
                }
            }
            Err(failure) => {
                self.failures.add(&failure);
                self.open(token)?;
            }
        }
        self.ask(token)
    }

    fn report(&mut self, elapsed: Duration) {
        let stalled = self.clients.iter().filter(|client| client.since.is_some_and(|since| since.elapsed() > STALL));
        stalled.for_each(|_| self.failures.add(&Failure::Stalled));
        let (requests, seconds) = (self.histogram.total(), elapsed.as_secs_f64());
        println!(
            "{{\"requests\":{requests},{},\"seconds\":{seconds:.3},\"rps\":{:.1},\"p50_us\":{:.1},\"p99_us\":{:.1}}}",
            self.failures.json(),
            requests as f64 / seconds,
            self.histogram.percentile_us(0.5),
            self.histogram.percentile_us(0.99),
        );
    }
}
