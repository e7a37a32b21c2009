//! Balancers in virtual time: the engine's own code picks and learns; requests, endpoints and the clock are made up here.
//!
//! A [`scenario`] says what becomes of ten endpoints, a [`world`] plays it for one balancer, [`summary`] counts what came
//! of it, [`picture`] draws it. Everything follows from one seed.

pub mod picture;
pub mod policies;
pub mod scenario;
pub mod service;
pub mod summary;
pub mod world;
