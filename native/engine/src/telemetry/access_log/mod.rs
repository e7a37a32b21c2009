//! The access log: a format compiled once, a line for each exchange, a file written by a thread of its own.
//!
//! Flow: [`Format::compile`] when a snapshot is built → [`Format::format`] at the end of an exchange → [`LogQueue::push`]
//! → the writer's thread. Invariants: an entry is one line whatever the client sent; formatting cannot fail, a value
//! that is not there is `-` (`null` in JSON); a worker never waits for a disk.

mod escape;
mod operator;
mod sink;
mod time;
mod value;

pub use operator::FormatError;
pub use sink::{DEFAULT_QUEUE_BYTES, LogQueue, LogWriter, Sink};

use crate::telemetry::record::{Address, Record, Texts};
use operator::{Compiler, Operator};

/// Envoy's default format.
const TEXT: &str = concat!(
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% ",
    "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% ",
    "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\""
);

/// Keys of the JSON format, named as Istio names them, with their operators.
const JSON: &[(&str, &str)] = &[
    ("start_time", "%START_TIME%"),
    ("method", "%REQ(:METHOD)%"),
    ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"),
    ("protocol", "%PROTOCOL%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("upstream_cluster", "%UPSTREAM_CLUSTER%"),
    ("upstream_request_attempt_count", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"),
    ("route_name", "%ROUTE_NAME%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("trace_id", "%TRACE_ID%"),
];

/// Everything that a line can speak of. Headers stand in the order that the format asked for them.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The finished record.
    pub record: &'a Record,
    /// Its texts.
    pub texts: &'a Texts<'a>,
    /// Values for [`Format::request_headers`], as filters have left them.
    pub request_headers: &'a [Option<&'a [u8]>],
    /// Values for [`Format::response_headers`], as sent.
    pub response_headers: &'a [Option<&'a [u8]>],
    /// Name of the listener.
    pub listener: &'a str,
    /// Name of the route, empty for none.
    pub route: &'a str,
    /// Name of the cluster, empty for none.
    pub cluster: &'a str,
    /// This side's address of the client's connection.
    pub downstream_local: Address,
    /// One plain sentence about the failure, empty for none.
    pub detail: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Text,
    Json,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Value(Operator),
}

/// A compiled format.
#[derive(Debug)]
pub struct Format {
    pieces: Vec<Piece>,
    style: Style,
    request_headers: Vec<String>,
    response_headers: Vec<String>,
}

impl Format {
    /// Compiles `text`, `json` or a format string with Envoy's operators. Headers named in `redact` are not written.
    ///
    /// # Errors
    /// The first operator that is unknown or malformed, with the nearest known one.
    pub fn compile(source: &str, redact: &[String]) -> Result<Self, FormatError> {
        let mut compiler = Compiler { redact, ..Compiler::default() };
        let (style, pieces) = match source {
            "json" => (Style::Json, json_pieces(&mut compiler)?),
            "text" => (Style::Text, compiler.pieces(TEXT)?),
            _ => (Style::Text, compiler.pieces(source)?),
        };
        if !pieces.iter().any(|piece| matches!(piece, Piece::Value(_))) {
            return Err(FormatError::without_operator(source));
        }
        let Compiler { request_headers, response_headers, .. } = compiler;
        Ok(Self { pieces, style, request_headers, response_headers })
    }

    /// Names (lower case) of the request's headers that an entry must carry, in this order.
    pub fn request_headers(&self) -> &[String] {
        &self.request_headers
    }

    /// Names (lower case) of the answer's headers that an entry must carry, in this order.
    pub fn response_headers(&self) -> &[String] {
        &self.response_headers
    }

    /// Appends the entry as one line.
    pub fn format(&self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match (piece, self.style) {
                (Piece::Literal(text), _) => out.extend_from_slice(text.as_bytes()),
                (Piece::Value(operator), Style::Text) => operator.value(entry).write_text(out),
                (Piece::Value(operator), Style::Json) => operator.value(entry).write_json(out),
            }
        }
        if out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
    }
}

fn json_pieces(compiler: &mut Compiler<'_>) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    for (place, (key, operator)) in JSON.iter().enumerate() {
        let before = if place == 0 { '{' } else { ',' };
        pieces.push(Piece::Literal(format!("{before}\"{key}\":")));
        pieces.extend(compiler.pieces(operator)?);
    }
    pieces.push(Piece::Literal("}\n".into()));
    Ok(pieces)
}

#[cfg(test)]
mod tests;
