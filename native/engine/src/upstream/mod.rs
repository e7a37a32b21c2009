//! The way to an endpoint: a request across its attempts, a pooled or a new connection, and one attempt on it.

pub mod answer;
pub mod attempt;
pub mod connect;
pub mod outgoing;
pub mod pool;
