//! Readers of the decision record that run on every exchange: metrics and the access log; and the events that are told
//! of endpoints.
//!
//! The first two take a finished [`Record`](crate::record::Record); nothing here decides anything about a request.

pub mod access_log;
pub mod events;
pub mod flags;
pub mod metrics;
