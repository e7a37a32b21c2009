//! Outlier detection of one cluster, as far as it goes by time: comparing at intervals, letting back who was out.

use std::sync::Arc;
use std::time::Duration;

use crate::snapshot::{Membership, OutlierDetection};

/// Goes on until it is dropped.
pub(super) async fn run(membership: Arc<Membership>, policy: Arc<OutlierDetection>) {
    let interval = Duration::from_millis(policy.interval_ms.into());
    let ejections = membership.ejections();
    let mut next = weft_rt::now() + interval;
    loop {
        let until = ejections.let_back_due().map_or(next, |due| due.min(next));
        let wait = until.saturating_duration_since(weft_rt::now());
        tokio::select! {
            () = weft_rt::sleep(wait) => {}
            () = ejections.changed() => continue,
        }
        if weft_rt::now() >= next {
            ejections.compare(&membership);
            next = weft_rt::now() + interval;
        }
    }
}
