//! The data plane.
#![forbid(unsafe_code)]

pub mod http;
pub mod record;
pub mod telemetry;
