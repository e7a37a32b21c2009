//! The thread that compares: one per process, begun with the first comparison, never in the way of a request.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Comparison;

/// Comparisons that may wait; each holds two or three answers.
const WAITING: usize = 64;

static THREAD: OnceLock<Option<SyncSender<Comparison>>> = OnceLock::new();

/// Has answers compared when the thread comes to it.
pub(in crate::exchange::mirror) fn compare_later(comparison: Comparison) {
    let refused = match THREAD.get_or_init(start) {
        Some(thread) => thread.try_send(comparison).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(refused) | std::sync::mpsc::TrySendError::Disconnected(refused) => {
                refused
            }
        }),
        None => Err(comparison),
    };
    if let Err(refused) = refused {
        refused.findings.skipped.fetch_add(1, Relaxed);
    }
}

fn start() -> Option<SyncSender<Comparison>> {
    let (sender, receiver) = sync_channel(WAITING);
    let run = move || run(&receiver);
    std::thread::Builder::new().name("weft-diff".to_owned()).spawn(run).ok().map(|_| sender)
}

fn run(comparisons: &Receiver<Comparison>) {
    for comparison in comparisons {
        comparison.findings.add(&comparison);
    }
}
