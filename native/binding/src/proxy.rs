//! What TypeScript can do with a proxy. Numbers, buffers and JSON cross; nothing else.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use napi::bindgen_prelude::Buffer;
use napi::{Env, Result};
use napi_derive::napi;
use weft_engine::listener::handover;
use weft_engine::proxy::reasons;
use weft_engine::proxy::stats;
use weft_engine::proxy::steer;
use weft_engine::proxy::{Drain, Proxy};

use crate::error::{failed, guarded, unknown_proxy, unknown_worker};
use crate::{door, environment, script};

static PROXIES: LazyLock<Mutex<HashMap<u32, Arc<Proxy>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU32 = AtomicU32::new(1);

/// How long a snapshot's caller waits for the workers to take it over: they do within a pass.
const APPLY_PATIENCE: Duration = Duration::from_millis(100);

pub(crate) fn find(id: u32) -> Result<Arc<Proxy>> {
    let proxies = PROXIES.lock().unwrap_or_else(PoisonError::into_inner);
    proxies.get(&id).cloned().ok_or_else(|| unknown_proxy(id))
}

/// A new proxy with so many workers. Returns its number in this process.
#[napi]
pub fn create_proxy(name: String, workers: u32) -> u32 {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let proxy = Proxy::new(&name, workers as usize);
    PROXIES.lock().unwrap_or_else(PoisonError::into_inner).insert(id, proxy);
    id
}

/// Puts an encoded snapshot in force, all of it or nothing. Returns JSON: `{generation, unchanged, rejected, listeners}`.
#[napi]
pub fn apply(proxy: u32, snapshot: Buffer) -> Result<String> {
    guarded("apply", || {
        let proxy = find(proxy)?;
        let applied = proxy.apply(&snapshot);
        if applied.rejected.is_empty() && !environment::is_worker() {
            // Who is told that a snapshot is in force may count on it with the next request. A worker that does not
            // turn its loop is not waited for: the watchdog deals with it.
            proxy.await_applied(APPLY_PATIENCE);
        }
        let listeners = stats::listeners(&proxy);
        let verdict = serde_json::json!({
            "generation": applied.generation,
            "unchanged": applied.unchanged,
            "rejected": applied.rejected,
            "listeners": listeners,
        });
        Ok(verdict.to_string())
    })
}

/// Sends a route's requests elsewhere until the next snapshot, or back. `asked` is JSON: `{route, to}` with `to` as
/// `{cluster, percent}` or null. Returns JSON: `{generation, rejected}`.
#[napi]
pub fn switch_route(proxy: u32, asked: String) -> Result<String> {
    guarded("switchRoute", || {
        let proxy = find(proxy)?;
        let asked = serde_json::from_str(&asked).map_err(|error| failed("switchRoute", &error))?;
        let switched = proxy.switch(&asked);
        if switched.is_ok() && !environment::is_worker() {
            proxy.await_applied(APPLY_PATIENCE);
        }
        let rejected = switched.err().into_iter().collect::<Vec<_>>();
        Ok(serde_json::json!({ "generation": proxy.number(), "rejected": rejected }).to_string())
    })
}

/// Changes the endpoints of one cluster between two snapshots: an encoded `EndpointUpdate`. Returns JSON:
/// `{added, changed, removed, rejected}`.
#[napi]
pub fn update_endpoints(proxy: u32, update: Buffer) -> Result<String> {
    guarded("updateEndpoints", || {
        let updated = find(proxy)?.update_endpoints_encoded(&update);
        serde_json::to_string(&updated).map_err(|error| failed("updateEndpoints", &error))
    })
}

/// Asks the process that listens at `path` for its listening sockets and keeps them for the first snapshot. Returns how
/// many there are; -1 when no process listens there.
#[napi]
pub fn take_sockets(proxy: u32, path: String, timeout_ms: u32) -> Result<i32> {
    let proxy = find(proxy)?;
    let taken = handover::receive(Path::new(&path), Duration::from_millis(timeout_ms.into()))
        .map_err(|error| failed("the listening sockets were not handed over", &error))?;
    let Some(sockets) = taken else { return Ok(-1) };
    let count = i32::try_from(sockets.len()).unwrap_or(i32::MAX);
    proxy.inherit(sockets);
    Ok(count)
}

/// Hands this process's listening sockets to the process at the other end of an open unix socket.
#[napi]
pub fn send_sockets(proxy: u32, descriptor: i32) -> Result<()> {
    let sockets = find(proxy)?.hand_over().map_err(|error| failed("cannot copy the listening sockets", &error))?;
    // SAFETY: the caller's connection is open for the length of this call.
    let stream = unsafe { BorrowedFd::borrow_raw(descriptor) };
    handover::send(stream, &sockets).map_err(|error| failed("the listening sockets were not handed over", &error))
}

/// Serves the proxy on this thread's loop from now on, as the worker with this index.
#[napi]
pub fn attach(env: Env, proxy: u32, worker: u32) -> Result<()> {
    guarded("attach", || {
        let id = proxy;
        let proxy = find(proxy)?;
        let slot = proxy.slot(worker as usize).ok_or_else(|| unknown_worker(worker))?;
        environment::enter(&env, Arc::clone(&slot.heartbeat))?;
        let scripts = script::scripts();
        let attached = weft_rt::uv::in_group(id, || steer::attach(&proxy, worker as usize, Some(scripts)));
        door::attached(id, attached.ok_or_else(|| unknown_worker(worker))?);
        Ok(())
    })
}

/// Begins the drain, or extends it. `keep_outbound`: not yet for the listeners of the application's own requests.
#[napi]
pub fn stop_accepting(proxy: u32, keep_outbound: bool) -> Result<()> {
    let drain = if keep_outbound { Drain::Inbound } else { Drain::All };
    find(proxy).map(|proxy| proxy.drain(drain))
}

/// Exchanges and tunnels that are still open; in a drain those that it is about.
#[napi]
pub fn active(proxy: u32) -> Result<u32> {
    find(proxy).map(|proxy| u32::try_from(proxy.active()).unwrap_or(u32::MAX))
}

/// Everything that was counted, as JSON.
#[napi]
pub fn stats(proxy: u32) -> Result<String> {
    guarded("stats", || {
        let proxy = find(proxy)?;
        serde_json::to_string(&stats::read(&proxy)).map_err(|error| failed("stats", &error))
    })
}

/// Parts of clusters that are short of healthy endpoints now, as JSON; cheap to ask for often.
#[napi]
pub fn shortages(proxy: u32) -> Result<String> {
    guarded("shortages", || {
        let proxy = find(proxy)?;
        serde_json::to_string(&stats::shortages(&proxy)).map_err(|error| failed("shortages", &error))
    })
}

/// Routes whose requests go elsewhere than configured, the oldest switch first, as JSON.
#[napi]
pub fn switches(proxy: u32) -> Result<String> {
    guarded("switches", || {
        let proxy = find(proxy)?;
        serde_json::to_string(&proxy.switches()).map_err(|error| failed("switches", &error))
    })
}

/// Durations by route, cluster and endpoint as HDR histograms (V2, compressed, base64), as JSON.
#[napi]
pub fn histograms(proxy: u32) -> Result<String> {
    guarded("histograms", || {
        let proxy = find(proxy)?;
        serde_json::to_string(&stats::histograms(&proxy)).map_err(|error| failed("histograms", &error))
    })
}

/// The records that fit a question, newest first, as JSON. The question is JSON too.
#[napi]
pub fn records(proxy: u32, query: String) -> Result<String> {
    guarded("records", || {
        let proxy = find(proxy)?;
        let query = serde_json::from_str(&query).map_err(|error| failed("records", &error))?;
        serde_json::to_string(&reasons::list(&proxy, &query)).map_err(|error| failed("records", &error))
    })
}

/// Everything about the newest exchange with this request id, as JSON; `null` when there is no record of it.
#[napi]
pub fn why(proxy: u32, id: String) -> Result<String> {
    guarded("why", || {
        let proxy = find(proxy)?;
        serde_json::to_string(&reasons::why(&proxy, &id)).map_err(|error| failed("why", &error))
    })
}

/// What happened to endpoints since the last call, as JSON: `{events, lost}`; an empty text when nothing did.
#[napi]
pub fn events(proxy: u32) -> Result<String> {
    guarded("events", || {
        let fetched = find(proxy)?.events();
        let told = fetched.map(|fetched| serde_json::to_string(&fetched).map_err(|error| failed("events", &error)));
        told.unwrap_or_else(|| Ok(String::new()))
    })
}

/// Opens every access log again. Returns JSON: those that could not be opened, with the reason.
#[napi]
pub fn reopen_logs(proxy: u32) -> Result<String> {
    guarded("reopenLogs", || {
        let failures = find(proxy)?.reopen_logs().into_iter();
        let failures: Vec<_> = failures.map(|(path, error)| (path, error.to_string())).collect();
        serde_json::to_string(&failures).map_err(|error| failed("reopenLogs", &error))
    })
}

/// One number per worker; each grows at least every 250 ms while that worker's loop turns.
#[napi]
pub fn heartbeats(proxy: u32) -> Result<Vec<f64>> {
    let proxy = find(proxy)?;
    // A count of passes stays far below 2^53.
    Ok(proxy.slots().iter().map(|slot| slot.heartbeat.load(Ordering::Relaxed) as f64).collect())
}

/// One number per worker: tasks of its present thread that panicked.
#[napi]
pub fn panics(proxy: u32) -> Result<Vec<f64>> {
    let proxy = find(proxy)?;
    Ok(proxy.slots().iter().map(|slot| slot.panics.load(Ordering::Relaxed) as f64).collect())
}

/// Ends what this thread does for the proxy: listening, connections, exchanges. True while some of it is left: call
/// again after a turn of the loop, then `detach`. For a thread that lives on.
#[napi]
pub fn leave(proxy: u32) -> bool {
    door::forget(proxy);
    weft_rt::uv::end_group(proxy)
}

/// A worker's thread has ended or left; another one may attach in its place.
#[napi]
pub fn detach(proxy: u32, worker: u32) -> Result<()> {
    find(proxy).map(|proxy| proxy.detach(worker as usize))
}

/// Waits until what was logged is written, at most so long. False: some of it could not be.
#[napi]
pub fn flush_logs(proxy: u32, timeout_ms: u32) -> Result<bool> {
    find(proxy).map(|proxy| proxy.flush_logs(Duration::from_millis(timeout_ms.into())))
}

/// Forgets a proxy whose workers have ended.
#[napi]
pub fn close_proxy(proxy: u32) -> Result<()> {
    door::forget(proxy);
    let closed = PROXIES.lock().unwrap_or_else(PoisonError::into_inner).remove(&proxy);
    closed.map(|proxy| proxy.drain(Drain::All)).ok_or_else(|| unknown_proxy(proxy))
}

/// Collects one ended child process that nobody waits for. False: there was nothing to collect.
#[napi]
pub fn reap(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let waited = pid.map(|pid| rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG));
    matches!(waited, Some(Ok(Some(_))))
}

/// Version of the addon.
#[napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
