//! HTTP/1: heads, framing, bodies and header hygiene. Pure: bytes in, bytes out, no I/O, no clock.
//!
//! A head owns its bytes; every part of it is a [`head::Slot`] into them. Uses nothing of ours.

pub mod body;
pub mod changes;
pub mod direct;
pub mod forward;
pub mod framing;
pub mod head;
pub mod health;
pub mod parse;
pub mod path;
pub mod retry_after;
pub mod status;
pub mod trust;
