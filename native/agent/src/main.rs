//! `weft-agent`: the engine as a plain process on tokio, for machines without Node.
//!
//! It serves the snapshot that `weft compile` wrote. SIGHUP reads the file again, SIGUSR1 opens the logs again, SIGTERM
//! and SIGINT drain.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use weft_engine::proxy::steer;
use weft_engine::proxy::{Drain, Proxy};
use weft_engine::snapshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: weft-agent SNAPSHOT\n\nSNAPSHOT is a file that `weft compile -c CONFIG -o SNAPSHOT` wrote.";

/// How often a drain looks whether the last exchange has ended.
const DRAIN_STEP: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [only] if only == "--version" => {
            println!("weft-agent {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        [only] if only == "--help" => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        [file] if !file.starts_with('-') => weft_rt::tokio_rt::run(serve(PathBuf::from(file))),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

async fn serve(file: PathBuf) -> ExitCode {
    let proxy = Proxy::new("agent", 1);
    if !apply(&proxy, &file) {
        return ExitCode::from(2);
    }
    let (Ok(mut reload), Ok(mut reopen), Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::hangup()),
        signal(SignalKind::user_defined1()),
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        eprintln!("weft-agent: cannot listen to signals");
        return ExitCode::FAILURE;
    };
    let Some(_worker) = steer::attach(&proxy, 0, None) else { return ExitCode::FAILURE };
    if let Some(generation) = proxy.generation() {
        for listener in &generation.listeners {
            let address = proxy.address(&listener.name).unwrap_or_else(|| listener.address.clone());
            eprintln!("weft-agent: {} listens on {address}", listener.name);
        }
    }
    loop {
        match wait(&mut reload, &mut reopen, &mut terminate, &mut interrupt).await {
            // What is refused was told; what was in force stays.
            Asked::Reload => _ = apply(&proxy, &file),
            Asked::Reopen => reopen_logs(&proxy),
            Asked::End => break,
        }
    }
    drain(&proxy).await;
    ExitCode::SUCCESS
}

/// Puts the file in force. When it is refused, says why; what was in force stays.
fn apply(proxy: &Arc<Proxy>, file: &Path) -> bool {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("weft-agent: cannot read {}: {error}", file.display());
            return false;
        }
    };
    let doors = snapshot::inspect(&bytes).ok().into_iter().flat_map(|generation| generation.listeners);
    if let Some(listener) = doors.into_iter().find(|listener| listener.door) {
        eprintln!("weft-agent: the listener {} has the engine uws, which needs Node: run it with weft", listener.name);
        return false;
    }
    let applied = proxy.apply(&bytes);
    for rejection in &applied.rejected {
        eprintln!("weft-agent: {}: {} ({})", rejection.path, rejection.message, rejection.code);
    }
    applied.rejected.is_empty()
}

fn reopen_logs(proxy: &Proxy) {
    for (path, error) in proxy.reopen_logs() {
        eprintln!("weft-agent: {path} goes on in the old file: {error}");
    }
}

enum Asked {
    Reload,
    Reopen,
    End,
}

async fn wait(reload: &mut Signal, reopen: &mut Signal, terminate: &mut Signal, interrupt: &mut Signal) -> Asked {
    std::future::poll_fn(|cx| {
        if terminate.poll_recv(cx).is_ready() || interrupt.poll_recv(cx).is_ready() {
            return std::task::Poll::Ready(Asked::End);
        }
        if reopen.poll_recv(cx).is_ready() {
            return std::task::Poll::Ready(Asked::Reopen);
        }
        reload.poll_recv(cx).map(|_| Asked::Reload)
    })
    .await
}

async fn drain(proxy: &Arc<Proxy>) {
    proxy.drain(Drain::All);
    let deadline = proxy.generation().map_or(Duration::ZERO, |generation| generation.drain_deadline);
    let until = weft_rt::now() + deadline;
    while proxy.active() > 0 && weft_rt::now() < until {
        weft_rt::sleep(DRAIN_STEP).await;
    }
    if proxy.active() > 0 {
        eprintln!("weft-agent: {} exchanges were still open at the drain's deadline", proxy.active());
    }
    proxy.flush_logs(Duration::from_secs(2));
}
