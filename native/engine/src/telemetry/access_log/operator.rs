//! Compiles a format string into literals and operators, once, when a snapshot is built.
//!
//! An operator is `%NAME%`, `%NAME(ARGUMENT)%` or `%NAME(ARGUMENT):MAX%`; `%%` is a percent sign. Unknown names are
//! errors, because a log that lacks a column is noticed on the day it is needed.

use super::Piece;
use super::time::TimeFormat;
use std::fmt;

/// An operator without an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    Protocol,
    ResponseCode,
    ResponseCodeDetails,
    ResponseFlags,
    ResponseFlagsLong,
    BytesReceived,
    BytesSent,
    Duration,
    RequestDuration,
    ResponseDuration,
    UpstreamHost,
    UpstreamHostWithoutPort,
    UpstreamCluster,
    UpstreamAttempts,
    RouteName,
    ListenerName,
    DownstreamRemote,
    DownstreamRemoteWithoutPort,
    DownstreamLocal,
    DownstreamLocalWithoutPort,
    TraceId,
}

const PLAIN: &[(&str, Plain)] = &[
    ("PROTOCOL", Plain::Protocol),
    ("RESPONSE_CODE", Plain::ResponseCode),
    ("RESPONSE_CODE_DETAILS", Plain::ResponseCodeDetails),
    ("RESPONSE_FLAGS", Plain::ResponseFlags),
    ("RESPONSE_FLAGS_LONG", Plain::ResponseFlagsLong),
    ("BYTES_RECEIVED", Plain::BytesReceived),
    ("BYTES_SENT", Plain::BytesSent),
    ("DURATION", Plain::Duration),
    ("REQUEST_DURATION", Plain::RequestDuration),
    ("RESPONSE_DURATION", Plain::ResponseDuration),
    ("UPSTREAM_HOST", Plain::UpstreamHost),
    ("UPSTREAM_REMOTE_ADDRESS", Plain::UpstreamHost),
    ("UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Plain::UpstreamHostWithoutPort),
    ("UPSTREAM_CLUSTER", Plain::UpstreamCluster),
    ("UPSTREAM_REQUEST_ATTEMPT_COUNT", Plain::UpstreamAttempts),
    ("ROUTE_NAME", Plain::RouteName),
    ("LISTENER_NAME", Plain::ListenerName),
    ("DOWNSTREAM_REMOTE_ADDRESS", Plain::DownstreamRemote),
    ("DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Plain::DownstreamRemoteWithoutPort),
    ("DOWNSTREAM_LOCAL_ADDRESS", Plain::DownstreamLocal),
    ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Plain::DownstreamLocalWithoutPort),
    ("TRACE_ID", Plain::TraceId),
];

/// Names that take an argument.
const WITH_ARGUMENT: &[&str] = &["START_TIME", "REQ", "REQ_WITHOUT_QUERY", "RESP"];

/// Where the value of a header comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Method,
    Authority,
    /// The path as received; so is `X-ENVOY-ORIGINAL-PATH`, which a client could otherwise choose freely.
    Path,
    RequestId,
    Status,
    /// Time that the upstream took: the header's value is the proxy's own, so it is computed.
    UpstreamServiceTime,
    RequestHeader(usize),
    ResponseHeader(usize),
    /// A header whose value is never kept.
    Redacted,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operator {
    Plain(Plain),
    StartTime(TimeFormat),
    /// The first of the sources that has a value, at most `max_bytes` of it.
    Header {
        first: Source,
        second: Option<Source>,
        max_bytes: usize,
        without_query: bool,
    },
}

/// Why a format does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Byte of the format string at which the fault begins.
    pub position: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl FormatError {
    pub(super) fn without_operator(source: &str) -> Self {
        let message = format!(
            "`{source}` is neither `text` nor `json` nor a format string: it has no operator such as %START_TIME%"
        );
        Self { position: 0, message }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "access log format, byte {}: {}", self.position, self.message)
    }
}

impl std::error::Error for FormatError {}

/// Collects, over one format, the headers that entries must carry.
#[derive(Debug, Default)]
pub(super) struct Compiler<'r> {
    /// Names of headers whose values are never kept, in any case.
    pub(super) redact: &'r [String],
    pub(super) request_headers: Vec<String>,
    pub(super) response_headers: Vec<String>,
}

impl Compiler<'_> {
    /// The pieces of a format string.
    pub(super) fn pieces(&mut self, source: &str) -> Result<Vec<Piece>, FormatError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some((before, behind)) = rest.split_once('%') {
            literal.push_str(before);
            let position = source.len() - behind.len() - 1;
            if let Some(behind) = behind.strip_prefix('%') {
                literal.push('%');
                rest = behind;
                continue;
            }
            let at = |message| FormatError { position, message };
            let (written, behind) = split_operator(behind).map_err(at)?;
            let operator = self.operator(&written).map_err(at)?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Value(operator));
            rest = behind;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(pieces)
    }

    fn operator(&mut self, written: &Written<'_>) -> Result<Operator, String> {
        let Written { name, argument, max_bytes } = *written;
        if let Some((_, plain)) = PLAIN.iter().find(|(known, _)| *known == name) {
            return match (argument, max_bytes) {
                (None, None) => Ok(Operator::Plain(*plain)),
                _ => Err(format!("%{name}% takes no argument and no length")),
            };
        }
        match (name, argument) {
            ("START_TIME", _) if max_bytes.is_some() => Err("%START_TIME% takes no length".into()),
            ("START_TIME", argument) => TimeFormat::compile(argument.unwrap_or_default()).map(Operator::StartTime),
            ("REQ" | "REQ_WITHOUT_QUERY" | "RESP", None) => {
                Err(format!("%{name}% needs the name of a header: %{name}(X-NAME)%"))
            }
            ("REQ" | "REQ_WITHOUT_QUERY" | "RESP", Some(names)) => self.header(name, names, max_bytes),
            _ => Err(unknown(name)),
        }
    }

    fn header(&mut self, operator: &str, names: &str, max_bytes: Option<usize>) -> Result<Operator, String> {
        let (first, second) = match names.split_once('?') {
            Some((first, second)) => (first, Some(second)),
            None => (names, None),
        };
        let mut source = |name: &str| if operator == "RESP" { self.response(name) } else { self.request(name) };
        Ok(Operator::Header {
            first: source(first)?,
            second: second.map(source).transpose()?,
            max_bytes: max_bytes.unwrap_or(usize::MAX),
            without_query: operator == "REQ_WITHOUT_QUERY",
        })
    }

    fn request(&mut self, name: &str) -> Result<Source, String> {
        match name.to_ascii_lowercase().as_str() {
            ":method" => Ok(Source::Method),
            ":authority" | "host" => Ok(Source::Authority),
            ":path" | "x-envoy-original-path" => Ok(Source::Path),
            "x-request-id" => Ok(Source::RequestId),
            other if self.is_redacted(other) => Ok(Source::Redacted),
            other => capture(&mut self.request_headers, other).map(Source::RequestHeader),
        }
    }

    fn response(&mut self, name: &str) -> Result<Source, String> {
        match name.to_ascii_lowercase().as_str() {
            ":status" => Ok(Source::Status),
            "x-envoy-upstream-service-time" => Ok(Source::UpstreamServiceTime),
            other if self.is_redacted(other) => Ok(Source::Redacted),
            other => capture(&mut self.response_headers, other).map(Source::ResponseHeader),
        }
    }

    fn is_redacted(&self, name: &str) -> bool {
        self.redact.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    }
}

fn capture(names: &mut Vec<String>, name: &str) -> Result<usize, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{name}` is not the name of a header"));
    }
    if let Some(place) = names.iter().position(|known| known == name) {
        return Ok(place);
    }
    names.push(name.to_owned());
    Ok(names.len() - 1)
}

/// An operator as it stands in the format string.
struct Written<'s> {
    name: &'s str,
    argument: Option<&'s str>,
    max_bytes: Option<usize>,
}

/// Splits behind an opening percent sign into the operator and what follows its closing one.
fn split_operator(source: &str) -> Result<(Written<'_>, &str), String> {
    let end = source.find(|symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_').unwrap_or(source.len());
    let (name, mut rest) = source.split_at_checked(end).unwrap_or((source, ""));
    if name.is_empty() {
        return Err("a percent sign begins an operator: write %% for the sign itself".into());
    }
    let mut argument = None;
    if let Some(behind) = rest.strip_prefix('(') {
        let Some((inside, behind)) = behind.split_once(')') else {
            return Err(format!("%{name}( has no closing bracket"));
        };
        (argument, rest) = (Some(inside), behind);
    }
    let mut max_bytes = None;
    if let Some(behind) = rest.strip_prefix(':') {
        let digits = behind.find(|symbol: char| !symbol.is_ascii_digit()).unwrap_or(behind.len());
        let (number, behind) = behind.split_at_checked(digits).unwrap_or((behind, ""));
        let number = number.parse().map_err(|_| format!("the length of %{name}% is not a number"))?;
        (max_bytes, rest) = (Some(number), behind);
    }
    match rest.strip_prefix('%') {
        Some(rest) => Ok((Written { name, argument, max_bytes }, rest)),
        None => Err(format!("%{name} has no closing percent sign")),
    }
}

fn unknown(name: &str) -> String {
    let known = PLAIN.iter().map(|(known, _)| *known).chain(WITH_ARGUMENT.iter().copied());
    let nearest = known.map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= name.len().max(known.len()) / 3 => {
            format!("unknown operator %{name}%: did you mean %{known}%?")
        }
        _ => format!("unknown operator %{name}%"),
    }
}

/// Edits (insert, delete, replace) between two words: Wagner and Fischer, 1974.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (place, from) in from.bytes().enumerate() {
        let mut diagonal = place;
        let mut left = place + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(to.bytes()) {
            let best = (diagonal + usize::from(!from.eq_ignore_ascii_case(&to))).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = place + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(source: &str) -> FormatError {
        Compiler::default().pieces(source).unwrap_err()
    }

    #[test]
    fn an_unknown_operator_is_named_with_its_place_and_the_nearest_known_one() {
        let error = error("%PROTOCOL% %RESPONSE_COD%");
        assert_eq!(
            error.to_string(),
            "access log format, byte 11: unknown operator %RESPONSE_COD%: did you mean %RESPONSE_CODE%?"
        );
        assert_eq!(super::unknown("DOWNSTREAM_PEER_CERT_V_END"), "unknown operator %DOWNSTREAM_PEER_CERT_V_END%");
    }

    #[test]
    fn faults_of_form_say_what_to_write() {
        for (source, message) in [
            ("100% of", "a percent sign begins an operator: write %% for the sign itself"),
            ("%PROTOCOL", "%PROTOCOL has no closing percent sign"),
            ("%REQ(A%", "%REQ( has no closing bracket"),
            ("%REQ%", "%REQ% needs the name of a header: %REQ(X-NAME)%"),
            ("%REQ()%", "`` is not the name of a header"),
            ("%REQ(A B)%", "`a b` is not the name of a header"),
            ("%REQ(A):x%", "the length of %REQ% is not a number"),
            ("%DURATION(A)%", "%DURATION% takes no argument and no length"),
            ("%START_TIME(%Q)%", "%Q is not a time field this log knows"),
        ] {
            assert_eq!(error(source).message, message, "{source}");
        }
    }

    #[test]
    fn the_headers_to_capture_are_listed_once_in_lower_case() {
        let mut compiler = Compiler::default();
        compiler.pieces("%REQ(User-Agent)% %REQ(X-A?USER-AGENT):4% %REQ(:PATH)% %RESP(Server)%").unwrap();
        assert_eq!(compiler.request_headers, ["user-agent", "x-a"]);
        assert_eq!(compiler.response_headers, ["server"]);
    }

    #[test]
    fn the_distance_of_words_counts_edits() {
        for (from, to, edits) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("abc", "ABC", 0)] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }
}
