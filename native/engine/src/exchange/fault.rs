//! Fault injection: requests of a route are delayed, answered without their service, or answered slowly.
//!
//! Before the route's filters and before a cluster is chosen. A fault ends by itself when its time to live is over, counted
//! from the first snapshot that had it just so: a reload that leaves it as it is does not prolong it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind};
use crate::exchange::ongoing::Ongoing;
use crate::exchange::share::{self, Lot};
use crate::snapshot::{Fault as Settings, GenerationRoute};
use crate::telemetry::record::Mark;

/// The fault of a route. It outlives generations as long as its settings are the same.
pub struct Fault {
    settings: Settings,
    since: Instant,
    turns: AtomicU64,
    counts: [AtomicU64; 3],
}

/// How often each fault was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultCounts {
    /// Requests that waited.
    pub delayed: u64,
    /// Requests that were answered.
    pub aborted: u64,
    /// Answers that went slowly.
    pub throttled: u64,
}

impl Fault {
    /// The fault with these settings: the one that the route had before where it is the same, else one that begins now.
    pub fn renewed(settings: &Settings, known: Option<&Arc<Self>>) -> Arc<Self> {
        let same = known.filter(|fault| fault.settings == *settings).cloned();
        same.unwrap_or_else(|| {
            let (since, turns, counts) = (Instant::now(), AtomicU64::new(0), Default::default());
            Arc::new(Self { settings: settings.clone(), since, turns, counts })
        })
    }

    /// What it does.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rest of its time to live; zero when it is over, `None` when it has none.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let ttl = (self.settings.ttl_ms > 0).then(|| Duration::from_millis(self.settings.ttl_ms.into()))?;
        Some(ttl.saturating_sub(now.saturating_duration_since(self.since)))
    }

    /// How often it was injected.
    pub fn counts(&self) -> FaultCounts {
        let [delayed, aborted, throttled] = &self.counts;
        FaultCounts {
            delayed: delayed.load(Relaxed),
            aborted: aborted.load(Relaxed),
            throttled: throttled.load(Relaxed),
        }
    }

    /// What becomes of the next request.
    fn draw(&self) -> Drawn {
        let Settings { delay, abort, throughput, ttl_ms: _ } = &self.settings;
        let turn = self.turns.fetch_add(1, Relaxed);
        let takes = |lot: Lot, ppm: u32| {
            let taken = share::takes(ppm, lot, turn);
            if let Some(count) = self.counts.get(lot as usize).filter(|_| taken) {
                count.fetch_add(1, Relaxed);
            }
            taken
        };
        let delay = delay.as_ref().filter(|delay| takes(Lot::First, delay.share_ppm));
        let abort = abort.as_ref().filter(|abort| takes(Lot::Second, abort.share_ppm));
        // Of an answer that the proxy gives itself nothing is slow.
        let slow = throughput.as_ref().filter(|slow| abort.is_none() && takes(Lot::Third, slow.share_ppm));
        Drawn {
            delay: delay.map(|delay| Duration::from_millis(delay.fixed_ms.into())),
            abort: abort.map(|abort| abort.status),
            bytes_per_second: slow.map(|slow| slow.bytes_per_second),
        }
    }
}

/// What becomes of one request.
struct Drawn {
    delay: Option<Duration>,
    abort: Option<u16>,
    bytes_per_second: Option<u32>,
}

/// Injects what the route's fault, if it has one, does to this request.
#[inline]
pub async fn inject(exchange: &mut Ongoing<'_>, route: &GenerationRoute) -> Result<(), Error> {
    match &route.fault {
        None => Ok(()),
        Some(fault) => run(exchange, fault).await,
    }
}

async fn run(exchange: &mut Ongoing<'_>, fault: &Fault) -> Result<(), Error> {
    if fault.left(weft_rt::now()).is_some_and(|left| left.is_zero()) {
        exchange.account.mark(Mark::FaultOver);
        return Ok(());
    }
    let drawn = fault.draw();
    if let Some(delay) = drawn.delay {
        exchange.account.mark(Mark::FaultDelayed);
        wait(exchange, delay).await?;
    }
    if drawn.bytes_per_second.is_some() {
        exchange.account.mark(Mark::FaultThrottled);
        exchange.bytes_per_second = drawn.bytes_per_second;
    }
    match drawn.abort {
        None => Ok(()),
        Some(status) => {
            exchange.account.mark(Mark::FaultAborted);
            Err(Error::new(Kind::FaultInjected(status), "the route's `fault` answered in the place of the service"))
        }
    }
}

/// Waits, as long as the client does.
async fn wait(exchange: &mut Ongoing<'_>, delay: Duration) -> Result<(), Error> {
    let downstream = &mut *exchange.downstream;
    downstream.timer.set(Some(weft_rt::now() + delay));
    poll_fn(|cx| {
        if downstream.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Error::new(Kind::DownstreamGone, "the client gave up")));
        }
        downstream.timer.poll_expired(cx).map(Ok)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{FaultAbort, FaultDelay, FaultThroughput};

    fn settings(ttl_ms: u32) -> Settings {
        Settings {
            delay: Some(FaultDelay { fixed_ms: 1, share_ppm: 500_000 }),
            abort: Some(FaultAbort { status: 503, share_ppm: 100_000 }),
            throughput: Some(FaultThroughput { bytes_per_second: 1024, share_ppm: 10_000 }),
            ttl_ms,
        }
    }

    #[test]
    fn each_fault_comes_as_often_as_configured_and_is_counted() {
        let fault = Fault::renewed(&settings(0), None);
        let drawn: Vec<Drawn> = (0..1_000).map(|_| fault.draw()).collect();
        let delayed = drawn.iter().filter(|drawn| drawn.delay.is_some()).count() as u64;
        let aborted = drawn.iter().filter(|drawn| drawn.abort == Some(503)).count() as u64;
        let throttled = drawn.iter().filter(|drawn| drawn.bytes_per_second == Some(1024)).count() as u64;
        assert!(delayed.abs_diff(500) <= 2 && aborted.abs_diff(100) <= 2 && throttled.abs_diff(9) <= 3);
        assert_eq!(fault.counts(), FaultCounts { delayed, aborted, throttled });
        assert!(drawn.iter().all(|drawn| drawn.abort.is_none() || drawn.bytes_per_second.is_none()));
    }

    #[test]
    fn a_reload_that_leaves_a_fault_as_it_is_does_not_prolong_it() {
        let first = Fault::renewed(&settings(1_000), None);
        let later = first.since + Duration::from_millis(600);
        let kept = Fault::renewed(&settings(1_000), Some(&first));
        assert_eq!(kept.left(later), Some(Duration::from_millis(400)));
        assert_eq!(kept.left(later + Duration::from_secs(9)), Some(Duration::ZERO));
        assert!(!Arc::ptr_eq(&Fault::renewed(&settings(2_000), Some(&first)), &first));
        assert_eq!(Fault::renewed(&settings(0), None).left(later), None);
    }
}
