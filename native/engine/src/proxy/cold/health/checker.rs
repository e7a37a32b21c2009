//! The checks of one endpoint, for as long as its cluster has it.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use weft_rt::{Stream, Timer};

use super::http::{self, Checked};
use super::verdict::{Outcome, Verdict};
use crate::snapshot::{Endpoint, Finding, HealthCheck, HttpCheck, Membership};
use crate::telemetry::events::{Event, Turn};
use crate::upstream::connection::connect;

/// An endpoint with what its checks are told to.
pub(super) struct Followed {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) membership: Arc<Membership>,
    /// Its cluster has had a request; shared by all its endpoints.
    pub(super) used: Rc<Cell<bool>>,
}

/// What one check came to, and what it came from.
struct Checkup {
    outcome: Outcome,
    degraded: bool,
    said: Said,
}

/// What came back.
enum Said {
    Status(u16),
    Connection,
    Nothing(io::ErrorKind),
}

/// Checks until it is dropped. The first check waits for `begin_after`.
pub(super) async fn run(followed: Followed, check: Rc<HealthCheck>, begin_after: Duration) {
    let endpoint = &followed.endpoint;
    let mut verdict = Verdict::new(&check);
    let mut asking = check.http.as_ref().map(|http| Asking {
        request: http::request(http, endpoint.authority(), check.reuse_connection),
        check: http,
        keep: check.reuse_connection,
        connection: None,
    });
    let timeout = Duration::from_millis(check.timeout_ms.into());
    weft_rt::sleep(begin_after).await;
    loop {
        let checked = match &mut asking {
            Some(asking) => within(timeout, asking.check(endpoint)).await,
            None => within(timeout, accepts(endpoint)).await,
        };
        let result = checked.unwrap_or_else(|error| Checkup {
            outcome: if error.kind() == io::ErrorKind::ConnectionRefused { Outcome::Refused } else { Outcome::Failed },
            degraded: false,
            said: Said::Nothing(error.kind()),
        });
        followed.found(&mut verdict, &result);
        weft_rt::sleep(interval(&check, &verdict, &result, followed.is_used())).await;
    }
}

impl Followed {
    fn found(&self, verdict: &mut Verdict, result: &Checkup) {
        let Self { endpoint, membership, .. } = self;
        let before = endpoint.health.finding();
        let now = verdict.after(before, result.outcome);
        if result.outcome == Outcome::Passed {
            endpoint.set_degraded(result.degraded);
        }
        endpoint.found(now);
        if now == Finding::Healthy && result.outcome == Outcome::Passed {
            membership.ejections().check_succeeded(endpoint);
        }
        let turn = match (before, now) {
            (Finding::Unhealthy, Finding::Healthy) => Turn::Healthy,
            (Finding::Unchecked | Finding::Healthy | Finding::Pending, Finding::Unhealthy) => Turn::Unhealthy,
            _ => return,
        };
        membership.teller().tell(Event::new(turn, &endpoint.name, &result.said.to_string()));
    }

    /// Whether the cluster has ever had a request, as far as its checkers have seen.
    fn is_used(&self) -> bool {
        if !self.used.get() && self.endpoint.requests.load(Ordering::Relaxed) > 0 {
            self.used.set(true);
        }
        self.used.get()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "its health check was answered {status}"),
            Self::Connection => f.write_str("it accepts connections"),
            Self::Nothing(kind) => write!(f, "its health check failed: {kind}"),
        }
    }
}

/// The wait after a result, jitter included: proxies that were started together do not go on asking together.
fn interval(check: &HealthCheck, verdict: &Verdict, result: &Checkup, used: bool) -> Duration {
    let passed = result.outcome == Outcome::Passed;
    let unused = check.no_traffic_interval_ms.filter(|_| !used);
    let ms = unused.unwrap_or(match (passed, verdict.is_pending()) {
        (true, false) => check.interval_ms,
        (true, true) => check.healthy_edge_interval_ms,
        (false, false) => check.unhealthy_interval_ms,
        (false, true) => check.unhealthy_edge_interval_ms,
    });
    Duration::from_millis(ms.into()) + chance(check.interval_jitter_ms)
}

/// A random time up to this.
pub(super) fn chance(most_ms: u32) -> Duration {
    Duration::from_millis(fastrand::u32(0..=most_ms).into())
}

/// An HTTP check with its connection.
struct Asking<'a> {
    request: Vec<u8>,
    check: &'a HttpCheck,
    keep: bool,
    connection: Option<Stream>,
}

impl Asking<'_> {
    async fn check(&mut self, endpoint: &Endpoint) -> io::Result<Checkup> {
        if let Some(kept) = self.connection.take() {
            // The endpoint may have closed a connection that was idle for an interval: that is no failure.
            if let Ok(result) = self.ask(kept).await {
                return Ok(result);
            }
        }
        let (stream, _address) = connect::reach(&endpoint.destination).await?;
        self.ask(stream).await
    }

    async fn ask(&mut self, mut stream: Stream) -> io::Result<Checkup> {
        let Checked { outcome, status, degraded, reusable } = http::ask(&mut stream, &self.request, self.check).await?;
        self.connection = Some(stream).filter(|_| reusable && self.keep);
        Ok(Checkup { outcome, degraded, said: Said::Status(status) })
    }
}

async fn accepts(endpoint: &Endpoint) -> io::Result<Checkup> {
    let _connection = connect::reach(&endpoint.destination).await?;
    Ok(Checkup { outcome: Outcome::Passed, degraded: false, said: Said::Connection })
}

async fn within<T>(timeout: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut work = pin!(work);
    let mut timer = Timer::new();
    timer.set(Some(weft_rt::now() + timeout));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Pending => timer.poll_expired(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        done => done,
    })
    .await
}
