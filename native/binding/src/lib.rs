//! The addon: the engine on Node's loop. The only crate that knows Node.
//!
//! The process has one registry of proxies; threads refer to them by number, because the addon's statics are shared by
//! all of the process's environments.

#![deny(unsafe_op_in_unsafe_fn)]

pub mod certificates;
pub mod door;
mod environment;
mod error;
pub mod explain;
mod javascript;
pub mod peer;
pub mod proxy;
pub mod script;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
