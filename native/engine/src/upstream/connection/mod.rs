//! Connections to endpoints: made, kept by the worker until they are used again, given to whoever waits for one.

pub mod connect;
pub mod pool;
pub mod race;
mod spare;
