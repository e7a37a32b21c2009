//! The endpoints' side: which of them a request goes to, how many requests may, how often it is tried, and the way there.
//!
//! The [`driver`](crate::exchange::driver) picks, attempts and classifies; nothing here knows what stands before it, but
//! that an attempt is handed the exchange that it is for. May use [`worker`](crate::worker) and the ground floor, and in
//! this room what stands below.

// Each module uses what stands below it. `scripts/check-structure` holds this order.
pub mod hedge;

pub mod attempt;
pub mod cluster;
pub mod retry;

pub mod connection;

pub mod allowance;
pub mod limit;
