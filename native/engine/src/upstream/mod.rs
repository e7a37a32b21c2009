//! The way to an endpoint: a request across its attempts, a connection for each, and the attempt itself.

pub mod answer;
pub mod attempt;
pub mod beside;
pub mod connect;
pub mod discard;
mod obtain;
pub mod outgoing;
pub mod pool;
pub mod race;
mod spare;
