//! A second attempt beside one that takes long, at another endpoint: the tail of a cluster's latencies is cut without
//! giving up what is under way. The delay is learned, the extra load bounded, as in Motan's backup requests
//! (`motan-go/ha/backupRequestHA.go`); that the first attempt goes on meanwhile is Envoy's hedging.

mod extra;
mod learned;
mod race;

use std::sync::Arc;
use std::time::{Duration, Instant};

use extra::Extra;
use learned::Learned;

use crate::error::Error;
use crate::exchange::ongoing::Ongoing;
use crate::snapshot::{Endpoint, Hedge, Subset};
use crate::upstream::attempt::outgoing::Outgoing;
use crate::upstream::attempt::{self, Answered};

/// When a cluster's attempts get a second one beside them.
pub struct Hedging {
    percentile: u8,
    min_delay: Duration,
    max_extra_percent: u32,
    state: Arc<State>,
}

/// What all workers share, and what outlives configurations.
struct State {
    learned: Learned,
    extra: Extra,
}

impl Hedging {
    /// What is configured, with what was learned of the cluster before.
    pub fn new(settings: &Hedge, before: Option<&Self>) -> Self {
        let fresh = || Arc::new(State { learned: Learned::new(weft_rt::now()), extra: Extra::default() });
        Self {
            percentile: settings.after_percentile,
            min_delay: Duration::from_millis(settings.min_delay_ms.into()),
            max_extra_percent: settings.max_extra_percent.into(),
            state: before.map_or_else(fresh, |before| Arc::clone(&before.state)),
        }
    }

    /// How long an attempt that begins now has for itself. `None`: too little is known.
    fn delay(&self, now: Instant) -> Option<Duration> {
        self.state.learned.percentile(self.percentile, now).map(|delay| delay.max(self.min_delay))
    }
}

/// Makes an attempt at an endpoint, with another one beside it where the cluster hedges and it takes long.
pub async fn attempt<'a>(
    exchange: &mut Ongoing<'a>,
    outgoing: &mut Outgoing<'a>,
    endpoint: &Arc<Endpoint>,
    asked: (Option<u64>, Option<&'a Subset>),
) -> Result<Answered, Error> {
    match outgoing.cluster.hedge.as_deref() {
        None => attempt::run(exchange, outgoing, endpoint).await,
        // Boxed, so that exchanges of other clusters do not carry its room.
        Some(hedging) => Box::pin(race::run(hedging, exchange, outgoing, endpoint, asked)).await,
    }
}
