//! One request, from its head to its record: the driver, the steps that belong to no other room, and what they share.
//!
//! [`driver`] is the order of everything, here and in the rooms below. [`ongoing`] is the exchange under way, with its
//! [`downstream`], its [`account`] and its [`deadline`]. May use [`filter`](crate::filter), [`route`](crate::route),
//! [`upstream`](crate::upstream), [`worker`](crate::worker) and the ground floor, and in this room what stands below.

// Each module uses what stands below it. `scripts/check-structure` holds this order.
pub mod driver;

pub mod reply;
pub mod socket;

pub mod dtab;
pub mod fault;
pub mod mirror;
pub mod relay;
pub mod tunnel;

pub mod ongoing;

pub mod account;
pub mod affinity;
pub mod deadline;
pub mod downstream;
pub mod overrides;
pub mod respond;
pub mod share;
pub mod trace;
