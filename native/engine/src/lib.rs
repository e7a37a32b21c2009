//! The data plane of Weft. It knows nothing of Node; its loop is whatever `weft-rt` runs on.
//!
//! **Life of a request**, top to bottom:
//!
//! 1. [`listener`]: a connection is accepted, within the listener's bounds; bytes become a request's head ([`http`]), one
//!    after the other. Or a [`door`](listener::door): a request of TypeScript's.
//! 2. [`exchange`]: the [driver](exchange::driver). Shedding, [`filter`]s and [`route`] → loop { pick → attempt, perhaps
//!    two beside each other → classify }, all three of them [`upstream`].
//! 3. The bodies both ways ([`relay`](exchange::relay), or [`tunnel`](exchange::tunnel) after an upgrade), each a
//!    [`transfer`]; or what the proxy answers itself ([`reply`](exchange::reply)).
//! 4. [`account`](exchange::account): the record, and through it [`telemetry`].
//!
//! **Life of a configuration change**: [`proxy`] `apply` → [`snapshot`] decode, compile → sockets →
//! [`steer`](proxy::steer) in each [`worker`] → a new view in each listener that is [served](worker::serving).
//!
//! **Life of an endpoint between two changes**: the [cold](proxy::cold) thread finds it by name and checks its health; a
//! pick sees the set and the health in force.
#![forbid(unsafe_code)]

// Each room uses what stands below it. `scripts/check-structure` holds this order, and that of the modules in a room.
pub mod proxy;

pub mod listener;

pub mod exchange;

pub mod filter;
pub mod route;
pub mod upstream;

pub mod worker;

// The ground floor, which everybody may use.
pub mod error;
pub mod http;
pub mod snapshot;
pub mod telemetry;
pub mod transfer;
