//! A route, compiled.

use std::time::Duration;

use super::GenerationRetry;

/// A route, compiled. A duration is `None` where there is no bound.
pub struct GenerationRoute {
    /// Its place in the generation.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Index of its cluster.
    pub cluster: u16,
    /// Until the answer's head.
    pub timeout: Option<Duration>,
    /// From the request's last byte to the answer's first.
    pub first_byte_timeout: Option<Duration>,
    /// Without a byte in either direction.
    pub idle_timeout: Option<Duration>,
    /// What is tried again.
    pub retry: Option<Box<GenerationRetry>>,
}
