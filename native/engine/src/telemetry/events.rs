//! What happens to endpoints, as it happens: a bounded queue from whoever decides to the process's log.
//!
//! Told from any thread, for the rare turns only, never once for each request. What is not fetched in time is counted
//! and lost, oldest first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

/// Events that wait to be fetched.
const MAX_EVENTS: usize = 1_024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// Outlier detection put an endpoint out.
    Ejected,
    /// It would have, in shadow mode.
    WouldEject,
    /// It would have, but too many are out already.
    NotEjected,
    /// The endpoint gets requests again.
    Returned,
    /// An endpoint's breaker opened.
    Opened,
    /// The probe failed.
    StayedOpen,
    /// The probe succeeded.
    Closed,
    /// A health check fails.
    Unhealthy,
    /// It succeeds again.
    Healthy,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What happened.
    pub turn: Turn,
    /// When, µs since 1970.
    pub unix_us: u64,
    /// Name of the cluster.
    pub cluster: String,
    /// The endpoint's address.
    pub endpoint: String,
    /// Why.
    pub reason: String,
    /// For how long it will be so, or was, ms.
    pub for_ms: Option<u64>,
}

impl Event {
    /// Without its moment and its cluster, which the [`Teller`] knows.
    pub fn new(turn: Turn, endpoint: &str, reason: &str) -> Self {
        let (endpoint, reason) = (endpoint.to_owned(), reason.to_owned());
        Self { turn, unix_us: 0, cluster: String::new(), endpoint, reason, for_ms: None }
    }

    /// The same for so long.
    #[must_use]
    pub fn lasting(self, ms: u64) -> Self {
        Self { for_ms: Some(ms), ..self }
    }
}

/// The queue.
#[derive(Default)]
pub struct Events {
    waiting: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    lost: u64,
}

/// All that waited.
#[derive(Debug, Default, Serialize)]
pub struct Fetched {
    /// In their order.
    pub events: Vec<Event>,
    /// How many before them were lost.
    pub lost: u64,
}

impl Events {
    /// Takes all that wait; `None` when that is nothing, which costs one load.
    pub fn fetch(&self) -> Option<Fetched> {
        self.waiting.swap(false, Ordering::AcqRel).then(|| {
            let Queue { events, lost } = std::mem::take(&mut *self.queue.lock());
            Fetched { events: events.into(), lost }
        })
    }

    fn push(&self, event: Event) {
        let mut queue = self.queue.lock();
        if queue.events.len() == MAX_EVENTS {
            queue.events.pop_front();
            queue.lost += 1;
        }
        queue.events.push_back(event);
        drop(queue);
        self.waiting.store(true, Ordering::Release);
    }
}

/// Tells the events of one cluster.
#[derive(Clone)]
pub struct Teller {
    cluster: Arc<str>,
    events: Arc<Events>,
}

impl Teller {
    /// Of this cluster.
    pub fn new(cluster: &str, events: &Arc<Events>) -> Self {
        Self { cluster: Arc::from(cluster), events: Arc::clone(events) }
    }

    /// Tells an event of the cluster's, now.
    pub fn tell(&self, event: Event) {
        self.events.push(Event { unix_us: weft_rt::unix_micros(), cluster: self.cluster.to_string(), ..event });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_fetched_once_in_their_order_and_the_oldest_are_lost_and_counted() {
        let events = Arc::new(Events::default());
        let teller = Teller::new("app", &events);
        assert!(events.fetch().is_none());
        for at in 0..MAX_EVENTS + 2 {
            teller.tell(Event::new(Turn::Ejected, &at.to_string(), "why").lasting(5));
        }
        let fetched = events.fetch().unwrap();
        assert_eq!((fetched.events.len(), fetched.lost), (MAX_EVENTS, 2));
        let first = &fetched.events[0];
        assert_eq!((first.endpoint.as_str(), first.cluster.as_str(), first.for_ms), ("2", "app", Some(5)));
        assert!(first.unix_us > 0 && events.fetch().is_none());
    }
}
