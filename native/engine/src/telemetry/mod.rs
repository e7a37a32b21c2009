//! What is told of the traffic: the decision [record] of each exchange, its readers that run on every exchange, [metrics]
//! and the [access log](access_log), and the [events] that are told of endpoints.
//!
//! The readers take a finished [`Record`](record::Record); nothing here decides anything about a request. May use the
//! ground floor.

pub mod access_log;
pub mod events;
pub mod flags;
pub mod metrics;
pub mod record;
