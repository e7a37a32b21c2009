//! The way to an endpoint: a pooled or a new connection, and one attempt on it.

pub mod attempt;
pub mod connect;
pub mod pool;
