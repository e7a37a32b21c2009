//! A listener, compiled.

use std::net::SocketAddr;

use crate::http::parse::HeadLimits;
use crate::route::Table;
use crate::snapshot::ListenerLimits;
use crate::telemetry::access_log::{Format, Sink};

/// A listener, compiled.
pub struct GenerationListener {
    /// Its name.
    pub name: String,
    /// Address as configured: with the name, the key of its socket.
    pub address: SocketAddr,
    /// As configured.
    pub limits: ListenerLimits,
    /// The part of the limits that the parser asks for.
    pub head_limits: HeadLimits,
    /// How exchanges are logged.
    pub access_log: Option<GenerationLog>,
    /// FIN amid a request gives it up.
    pub abort_on_close: bool,
    /// Which route takes a request.
    pub table: Table,
}

/// An access log, compiled.
pub struct GenerationLog {
    /// What a line says.
    pub format: Format,
    /// Where it goes.
    pub sink: Sink,
}
