//! What an operator says of an entry, and how that is written as text and as JSON.

use super::operator::{Operator, Plain, Source};
use super::time::TimeFormat;
use super::{Entry, escape};
use crate::telemetry::record::{Address, Protocol, REDACTED};
use std::io::Write;

/// The value of an operator, not yet escaped.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Missing,
    Number(u64),
    Bytes(&'a [u8]),
    Address {
        address: Address,
        with_port: bool,
    },
    Time {
        unix_us: u64,
        format: &'a TimeFormat,
    },
    TraceId([u8; 16]),
    /// A word for the reason, and the sentence about it.
    Details {
        word: &'static str,
        sentence: &'a str,
    },
}

impl Operator {
    pub(super) fn value<'a>(&'a self, entry: &'a Entry<'a>) -> Value<'a> {
        match self {
            Self::Plain(plain) => plain.value(entry),
            Self::StartTime(format) => Value::Time { unix_us: entry.record.start_unix_us, format },
            Self::Header { first, second, max_bytes, without_query } => {
                let value = match (first.value(entry), second) {
                    (Value::Missing, Some(second)) => second.value(entry),
                    (value, _) => value,
                };
                let Value::Bytes(bytes) = value else { return value };
                let query = bytes.iter().position(|byte| *without_query && *byte == b'?').unwrap_or(bytes.len());
                Value::Bytes(bytes.get(..query.min(*max_bytes)).unwrap_or_default())
            }
        }
    }
}

impl Source {
    fn value<'a>(&self, entry: &'a Entry<'a>) -> Value<'a> {
        let captured = |values: &'a [Option<&'a [u8]>], place: usize| values.get(place).copied().flatten();
        match *self {
            Self::Method => Value::bytes(entry.texts.method),
            Self::Authority => Value::bytes(entry.texts.authority),
            Self::Path => Value::bytes(entry.texts.path),
            Self::RequestId => Value::bytes(entry.texts.request_id),
            Self::Status => Plain::ResponseCode.value(entry),
            Self::Redacted => Value::Bytes(REDACTED),
            Self::UpstreamServiceTime => upstream_service_ms(entry),
            Self::RequestHeader(place) => captured(entry.request_headers, place).map_or(Value::Missing, Value::bytes),
            Self::ResponseHeader(place) => captured(entry.response_headers, place).map_or(Value::Missing, Value::bytes),
        }
    }
}

impl Plain {
    fn value<'a>(self, entry: &'a Entry<'a>) -> Value<'a> {
        let record = entry.record;
        match self {
            Self::Protocol => match record.protocol {
                Protocol::Tcp => Value::Missing,
                Protocol::Http10 => Value::Bytes(b"HTTP/1.0"),
                Protocol::Http11 => Value::Bytes(b"HTTP/1.1"),
                Protocol::Http2 => Value::Bytes(b"HTTP/2"),
            },
            Self::ResponseCode => Value::Number(record.status.into()),
            Self::ResponseCodeDetails => details(entry),
            Self::ResponseFlags => Value::Bytes(record.flag.short().as_bytes()),
            Self::ResponseFlagsLong => Value::Bytes(record.flag.long().as_bytes()),
            Self::BytesReceived => Value::Number(record.request_bytes),
            Self::BytesSent => Value::Number(record.response_bytes),
            Self::Duration => Value::milliseconds(record.total_us),
            // The end of a body is not recorded, so with a body there is nothing true to say.
            Self::RequestDuration if record.request_bytes > 0 => Value::Missing,
            Self::RequestDuration => Value::milliseconds(record.head_us),
            Self::ResponseDuration if record.first_byte_us == 0 => Value::Missing,
            Self::ResponseDuration => Value::milliseconds(record.first_byte_us),
            Self::UpstreamHost => Value::address(record.upstream, true),
            Self::UpstreamHostWithoutPort => Value::address(record.upstream, false),
            Self::UpstreamCluster => Value::bytes(entry.cluster.as_bytes()),
            Self::UpstreamAttempts => Value::Number(record.attempts.into()),
            Self::RouteName => Value::bytes(entry.route.as_bytes()),
            Self::ListenerName => Value::bytes(entry.listener.as_bytes()),
            Self::DownstreamRemote => Value::address(record.downstream, true),
            Self::DownstreamRemoteWithoutPort => Value::address(record.downstream, false),
            Self::DownstreamLocal => Value::address(entry.downstream_local, true),
            Self::DownstreamLocalWithoutPort => Value::address(entry.downstream_local, false),
            Self::TraceId if record.trace_id == [0; 16] => Value::Missing,
            Self::TraceId => Value::TraceId(record.trace_id),
        }
    }
}

/// Why the status is what it is: the upstream's own, or the reason that goes with the flag and the sentence about it.
fn details<'a>(entry: &Entry<'a>) -> Value<'a> {
    let record = entry.record;
    if record.upstream_status != 0 && record.upstream_status == record.status && entry.detail.is_empty() {
        return Value::Bytes(b"via_upstream");
    }
    Value::Details { word: record.flag.details(), sentence: entry.detail }
}

/// From the end of the request's head to the first byte of the upstream's answer.
fn upstream_service_ms(entry: &Entry<'_>) -> Value<'static> {
    let record = entry.record;
    if record.upstream_status == 0 {
        return Value::Missing;
    }
    Value::milliseconds(record.first_byte_us.saturating_sub(record.head_us))
}

impl<'a> Value<'a> {
    fn bytes(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() { Self::Missing } else { Self::Bytes(bytes) }
    }

    fn address(address: Address, with_port: bool) -> Self {
        if address == Address::NONE { Self::Missing } else { Self::Address { address, with_port } }
    }

    fn milliseconds(us: u32) -> Self {
        Self::Number(u64::from(us / 1000))
    }

    /// Appends the value to a line of text.
    pub(super) fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Missing => out.push(b'-'),
            Self::Bytes(bytes) => escape::text(bytes, out),
            _ => self.write_own(out),
        }
    }

    /// Appends the value as JSON.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Missing => out.extend_from_slice(b"null"),
            Self::Bytes(bytes) => escape::json(bytes, out),
            Self::Number(_) => self.write_own(out),
            _ => {
                out.push(b'"');
                self.write_own(out);
                out.push(b'"');
            }
        }
    }

    /// Values that are made here and need no escaping. Writing to a Vec cannot fail.
    fn write_own(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Missing | Self::Bytes(_) => {}
            Self::Number(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Self::Time { unix_us, format } => format.write(unix_us, out),
            Self::TraceId(id) => {
                let _ = write!(out, "{:032x}", u128::from_be_bytes(id));
            }
            Self::Details { word, sentence: "" } => out.extend_from_slice(word.as_bytes()),
            Self::Details { word, sentence } => {
                // As Envoy has it: the sentence within the braces, behind the word's own if it has some, without spaces.
                let (word, joint) = word.strip_suffix('}').map_or((word, b'{'), |word| (word, b'|'));
                out.extend_from_slice(word.as_bytes());
                out.push(joint);
                let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
                out.extend(sentence.bytes().map(|byte| if is_plain(&byte) { byte } else { b'_' }));
                out.push(b'}');
            }
            Self::Address { address, with_port } => {
                let _ = match address.socket() {
                    Some(socket) if !with_port => write!(out, "{}", socket.ip()),
                    _ => write!(out, "{address}"),
                };
            }
        }
    }
}
