//! Time for the hot path: on libuv one clock reading per pass, and wall time without a call per request.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::current::{self, Current};

/// Wall time is derived from the monotonic clock and compared with the system's this often, so that a corrected
/// system clock is followed within a second.
const REBASE_AFTER: Duration = Duration::from_secs(1);

/// The monotonic time: on libuv that of the current pass, on tokio tokio's clock (which tests may pause).
pub fn now() -> Instant {
    current::with(now_of)
}

/// Microseconds since the Unix epoch, at the moment [`now`] returns.
pub fn unix_micros() -> u64 {
    current::with(|current| {
        let now = now_of(current);
        let (base, base_micros) = match current.wall.get() {
            Some(known) if now.saturating_duration_since(known.0) < REBASE_AFTER => known,
            _ => rebase(current, now),
        };
        base_micros + micros(now.saturating_duration_since(base))
    })
}

/// Takes a new pair of readings. `now` may be a little older than this moment, hence the correction.
fn rebase(current: &Current, now: Instant) -> (Instant, u64) {
    let age = Instant::now().saturating_duration_since(now);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let pair = (now, micros(wall.saturating_sub(age)));
    current.wall.set(Some(pair));
    pair
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

/// Forgets the time of the pass: it is read again when next asked for.
#[cfg(feature = "uv")]
pub(crate) fn refresh() {
    current::with(|current| current.now.set(None));
}

#[cfg(feature = "uv")]
fn now_of(current: &Current) -> Instant {
    if current.uv.get().is_null() {
        return now_elsewhere();
    }
    current.now.get().unwrap_or_else(|| {
        let now = Instant::now();
        current.now.set(Some(now));
        now
    })
}

#[cfg(not(feature = "uv"))]
fn now_of(_current: &Current) -> Instant {
    now_elsewhere()
}

#[cfg(feature = "tokio")]
fn now_elsewhere() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(not(feature = "tokio"))]
fn now_elsewhere() -> Instant {
    Instant::now()
}
