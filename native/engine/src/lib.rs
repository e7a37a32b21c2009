//! The data plane of Weft. It knows nothing of Node; its loop is whatever `weft-rt` runs on.
//!
//! **Life of a request**, top to bottom:
//!
//! 1. [`listener`]: a connection is accepted, within the listener's bounds.
//! 2. [`connection`]: bytes become a request's head ([`http`]), one after the other.
//! 3. [`exchange`]: the driver. [`route`] → loop { [`cluster`] pick → [`upstream`] attempt → classify }.
//! 4. [`relay`] (or [`tunnel`], after an upgrade): the bodies both ways, each a [`transfer`].
//! 5. [`respond`]: what a failure looks like to the client.
//! 6. [`account`]: the [`record`], and through it [`telemetry`].
//!
//! **Life of a configuration change**: [`proxy`] `apply` → [`snapshot`] decode, compile → sockets → [`worker`] refresh.
#![forbid(unsafe_code)]

pub mod snapshot;

pub mod proxy;
pub mod worker;

pub mod listener;

pub mod connection;

pub mod http;

pub mod exchange;

pub mod route;

pub mod cluster;

pub mod upstream;

pub mod relay;

pub mod tunnel;

pub mod respond;

pub mod account;

pub mod record;
pub mod stats;
pub mod telemetry;

pub mod buffer;
pub mod deadline;
pub mod error;
pub mod transfer;
