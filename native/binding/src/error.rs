//! Failures as JavaScript errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::{Error, Result, Status};

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

/// What the certificate authority does not sign or cannot read: its own words, for whoever asked.
pub(crate) fn refused(why: weft_ca::Refused) -> Error {
    Error::new(Status::InvalidArg, why.to_string())
}

/// A panic must not cross into Node; it becomes an error.
pub(crate) fn guarded<T>(what: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(failed(what, &"the engine panicked")))
}
