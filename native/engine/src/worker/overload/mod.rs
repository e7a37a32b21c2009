//! Shedding: under pressure the least important requests are refused first, and at once.
//!
//! Flow: each worker's [`Gauge`] reads its loop's lag and, for all of them, the process's memory and CPU → each of its
//! listeners turns them into a level ([`Shedder`]) → [`Shedder::admit`] asks how important the request is. A level of
//! 1.5 refuses all of the least important class and every second request of the next. Where nothing is configured there
//! is no gauge, and a request costs the look whether there is a bound.

mod gauge;
mod process;
mod shedder;

use std::time::Duration;

use crate::http::head::RequestHead;

pub use gauge::Gauge;
pub use shedder::Shedder;

/// Most classes of importance.
pub const MOST_CLASSES: usize = 8;

/// The class of requests that do not say theirs, where the order has it.
const DEFAULT: &str = "default";

/// What a listener sheds at.
pub struct Overload {
    /// Memory of the process.
    pub memory: Option<Memory>,
    /// Lag of a worker's event loop.
    pub lag: Option<Duration>,
    /// Share of its processors that the process uses, 0 to 1.
    pub cpu: Option<f32>,
    /// Who says how important a request is; `None`: all are alike.
    pub criticality: Option<Criticality>,
}

/// A bound on memory.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Bytes that there are; `None`: what the cgroup or the machine has.
    pub limit: Option<u64>,
    /// Share of them from which on requests are shed, 0 to 1.
    pub shed_at: f32,
}

/// How important requests are.
pub struct Criticality {
    /// Header that says it.
    pub header: Box<str>,
    /// Its values, the most important one first; at most [`MOST_CLASSES`].
    pub order: Box<[Box<str>]>,
}

impl Overload {
    /// How many classes there are, and the request's among them; 0 is the first to be shed.
    fn class(&self, head: &RequestHead) -> (usize, usize) {
        self.criticality.as_ref().map_or((1, 0), |criticality| {
            (criticality.order.len().max(1), criticality.class(head.find(criticality.header.as_bytes())))
        })
    }
}

impl Criticality {
    /// What is not said, or not known, is `default`, or where there is no such class the least important one.
    fn class(&self, said: Option<&[u8]>) -> usize {
        let place = |wanted: &[u8]| self.order.iter().rev().position(|known| known.as_bytes() == wanted);
        said.and_then(place).or_else(|| place(DEFAULT.as_bytes())).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_or_not_known_is_default() {
        let of = |words: &[&str]| Criticality {
            header: "x-criticality".into(),
            order: words.iter().map(|word| Box::from(*word)).collect(),
        };
        let three = of(&["critical", "default", "sheddable"]);
        let classes = [Some(&b"critical"[..]), Some(b"default"), Some(b"sheddable"), Some(b"x"), None];
        assert_eq!(classes.map(|said| three.class(said)), [2, 1, 0, 1, 1]);
        assert_eq!(of(&["high", "low"]).class(None), 0);
    }
}
