//! The data plane of Weft. It knows nothing of Node; its loop is whatever `weft-rt` runs on.
//!
//! **Life of a request**, top to bottom:
//!
//! 1. [`listener`]: a connection is accepted, within the listener's bounds.
//! 2. [`connection`]: bytes become a request's head ([`http`]), one after the other. Or [`door`]: a request of TypeScript's.
//! 3. [`exchange`]: the driver. [`overload`], [`filter`]s and [`route`] → loop { [`cluster`] pick → [`upstream`] attempt,
//!    perhaps two beside each other ([`hedge`]) → classify }.
//! 4. [`relay`] (or [`tunnel`], after an upgrade): the bodies both ways, each a [`transfer`].
//! 5. [`reply`]: what the proxy answers itself; [`respond`] knows what each failure looks like.
//! 6. [`account`]: the [`record`], and through it [`telemetry`].
//!
//! [`asked`] explains where a request would go, without sending it; [`replay`] says it of many.
//!
//! **Life of a configuration change**: [`proxy`] `apply` → [`snapshot`] decode, compile → sockets → [`steer`] in each
//! [`worker`] → a new view in each [`serving`] listener.
//!
//! **Life of an endpoint between two changes**: the [`cold`] thread finds it by name and checks its health; a pick sees
//! the set and the health in force.
#![forbid(unsafe_code)]

// Each module uses what stands below it. `scripts/check-structure` holds this order.
pub mod reasons;

pub mod replay;

pub mod asked;
pub mod stats;
pub mod steer;

pub mod proxy;

pub mod cold;

pub mod listener;

pub mod connection;
pub mod door;

pub mod exchange;

pub mod hedge;

pub mod reply;
pub mod socket;

pub mod dtab;
pub mod fault;
pub mod mirror;
pub mod relay;
pub mod tunnel;

pub mod ongoing;

pub mod affinity;

pub mod account;
pub mod worker;

pub mod cluster;
pub mod filter;
pub mod respond;
pub mod retry;
pub mod route;
pub mod upstream;

pub mod allowance;
pub mod deadline;
pub mod doors;
pub mod downstream;
pub mod serving;
pub mod slot;
pub mod trace;
pub mod transfer;
pub mod trust;

pub mod buffer;
pub mod cel;
pub mod heads;
pub mod limit;
pub mod overload;
mod request_id;
pub mod share;

pub mod error;
pub mod http;
pub mod record;
pub mod snapshot;
pub mod telemetry;
