//! Failures as JavaScript errors.

use napi::{Error, Status};

/// An argument that names nothing.
pub(crate) fn unknown_proxy(id: u32) -> Error {
    Error::new(Status::InvalidArg, format!("no proxy has the number {id}"))
}

/// An argument out of range.
pub(crate) fn unknown_worker(index: u32) -> Error {
    Error::new(Status::InvalidArg, format!("the proxy has no worker {index}"))
}

/// What the runtime or the system refused.
pub(crate) fn failed(what: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::new(Status::GenericFailure, format!("{what}: {reason}"))
}
