//! The cold thread: what takes time and must not take it from requests, on one thread per process.
//!
//! It runs on tokio, starts with the first cluster that needs it and ends with the last proxy that does. What it finds
//! reaches the workers through the endpoints alone: a cluster's set of them, and the condition of each.

mod dns;
mod health;
mod outlier;
mod thread;
mod watched;

pub use thread::Following;
pub use watched::Watch;
