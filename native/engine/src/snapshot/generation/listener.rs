//! A listener, compiled.

use weft_rt::Addr;

use crate::filter::Chain;
use crate::http::parse::HeadLimits;
use crate::route::Table;
use crate::snapshot::{Direction, ListenerLimits, Overrides};
use crate::telemetry::access_log::{Format, Sink};
use crate::worker::overload::Overload;

/// A listener, compiled.
pub struct GenerationListener {
    /// Its name.
    pub name: String,
    /// Address as configured: with the name, the key of its socket.
    pub address: Addr,
    /// Requests come through a door of TypeScript's.
    pub door: bool,
    /// Paths whose WebSockets the door serves itself.
    pub sockets: Vec<String>,
    /// As configured.
    pub limits: ListenerLimits,
    /// Whose requests come in here.
    pub direction: Direction,
    /// The part of the limits that the parser asks for.
    pub head_limits: HeadLimits,
    /// How exchanges are logged.
    pub access_log: Option<GenerationLog>,
    /// Bytes of a request's body; more is 413.
    pub max_request_bytes: u64,
    /// Proxies before this listener whose `x-forwarded-for` and `x-forwarded-proto` are believed.
    pub trusted_hops: usize,
    /// Permissions of a unix socket; `None` leaves them to the process's mask.
    pub socket_mode: Option<u32>,
    /// What looks at its requests before a route is chosen.
    pub filters: Chain,
    /// What callers may say of the way of their own requests.
    pub overrides: Overrides,
    /// When requests are shed.
    pub overload: Option<Box<Overload>>,
    /// FIN amid a request gives it up.
    pub abort_on_close: bool,
    /// Which route takes a request.
    pub table: Table,
}

impl GenerationListener {
    /// Whether its door serves the WebSockets of that path.
    pub fn serves_socket(&self, path: &[u8]) -> bool {
        self.sockets.iter().map(String::as_bytes).any(|known| match known.strip_suffix(b"*") {
            Some(prefix) => path.starts_with(prefix),
            None => path == known,
        })
    }
}

/// An access log, compiled.
pub struct GenerationLog {
    /// What a line says.
    pub format: Format,
    /// Where it goes.
    pub sink: Sink,
}
