//! The checks of one endpoint, for as long as its cluster has it.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use weft_rt::{Stream, Timer};

use super::http::{self, Checked};
use super::verdict::{Outcome, Verdict};
use crate::snapshot::{Endpoint, HealthCheck, HttpCheck};
use crate::upstream::connect;

/// Checks until it is dropped. The first check waits for `begin_after`.
pub(super) async fn run(endpoint: Arc<Endpoint>, check: Rc<HealthCheck>, begin_after: Duration) {
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
            Some(asking) => within(timeout, asking.check(&endpoint)).await,
            None => within(timeout, accepts(&endpoint)).await,
        };
        let outcome = checked.unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Outcome::Refused,
            _ => Outcome::Failed,
        });
        endpoint.found(verdict.after(endpoint.health.finding(), outcome));
        weft_rt::sleep(interval(&check)).await;
    }
}

/// The next interval, jitter included: proxies that were started together do not go on asking together.
fn interval(check: &HealthCheck) -> Duration {
    let jitter = fastrand::u32(0..=check.interval_jitter_ms);
    Duration::from_millis(u64::from(check.interval_ms) + u64::from(jitter))
}

/// An HTTP check with its connection.
struct Asking<'a> {
    request: Vec<u8>,
    check: &'a HttpCheck,
    keep: bool,
    connection: Option<Stream>,
}

impl Asking<'_> {
    async fn check(&mut self, endpoint: &Endpoint) -> io::Result<Outcome> {
        if let Some(kept) = self.connection.take() {
            // The endpoint may have closed a connection that was idle for an interval: that is no failure.
            if let Ok(outcome) = self.ask(kept).await {
                return Ok(outcome);
            }
        }
        let (stream, _address) = connect::reach(&endpoint.destination).await?;
        self.ask(stream).await
    }

    async fn ask(&mut self, mut stream: Stream) -> io::Result<Outcome> {
        let Checked { outcome, reusable } = http::ask(&mut stream, &self.request, self.check).await?;
        self.connection = Some(stream).filter(|_| reusable && self.keep);
        Ok(outcome)
    }
}

async fn accepts(endpoint: &Endpoint) -> io::Result<Outcome> {
    connect::reach(&endpoint.destination).await.map(|_connection| Outcome::Passed)
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
