//! The decision record: what one exchange was, filled by its phases and written once at its end.
//!
//! Flow: `exchange` fills a [`Record`] → [`Ring::push`] keeps it with its texts → access log, metrics, tap and `why`
//! read it. Invariants: a record is at most 136 bytes, plain and `Copy`; its texts stand beside it in a byte ring and
//! are either whole or not readable at all; secrets are replaced before they are stored.

mod mark;
mod ring;
mod trail;

pub use mark::{Mark, Marks};
pub use ring::{REDACTED, Ring, RingOptions};
pub use trail::{Attempt, Candidate, Framed, MAX_HEADERS, Trail, frame};

use crate::telemetry::flags::Flag;
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use weft_rt::Addr;

/// No listener, route, cluster or endpoint was chosen.
pub const NONE: u16 = u16::MAX;

/// A socket address in 18 bytes. IPv4 is kept as IPv4-mapped IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address {
    ip: [u8; 16],
    port: u16,
}

impl Address {
    /// No address: nothing was connected.
    pub const NONE: Self = Self { ip: [0; 16], port: 0 };
    /// A unix socket; its path is the endpoint's. All ones is a multicast address, which no socket can have.
    pub const UNIX: Self = Self { ip: [0xff; 16], port: 0 };

    /// The address as the standard library has it; `None` for no address and for unix sockets.
    pub fn socket(&self) -> Option<SocketAddr> {
        if *self == Self::NONE || *self == Self::UNIX {
            return None;
        }
        Some(SocketAddr::new(Ipv6Addr::from(self.ip).to_canonical(), self.port))
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        Self { ip, port: address.port() }
    }
}

impl From<&Addr> for Address {
    fn from(address: &Addr) -> Self {
        match address {
            Addr::Tcp(socket) => Self::from(*socket),
            Addr::Unix(_) => Self::UNIX,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket() {
            Some(address) => address.fmt(out),
            None => out.write_str(if *self == Self::UNIX { "unix" } else { "-" }),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::NONE { serializer.serialize_none() } else { serializer.collect_str(self) }
    }
}

/// What was spoken with the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[repr(u8)]
pub enum Protocol {
    /// Bytes without a protocol that the engine reads.
    Tcp,
    /// HTTP/1.0.
    #[serde(rename = "HTTP/1.0")]
    Http10,
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "HTTP/1.1")]
    Http11,
    /// HTTP/2.
    #[serde(rename = "HTTP/2")]
    Http2,
}

/// The fixed head of the decision record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Given by the ring: 1 for the first record of a worker, then counting up; 0 before it is stored.
    pub seq: u64,
    /// Wall clock at the request's first byte, µs since 1970.
    pub start_unix_us: u64,
    /// Body bytes read from the client.
    pub request_bytes: u64,
    /// Body bytes written to the client.
    pub response_bytes: u64,
    /// Trace id as on the wire (W3C); all zero when there is none.
    #[serde(serialize_with = "hex")]
    pub trace_id: [u8; 16],
    /// Generation of the snapshot that decided.
    pub generation: u32,
    /// Time from the first byte to the end of the request's head, µs.
    pub head_us: u32,
    /// Time that connecting to the endpoint took, µs; 0 when a connection was reused.
    pub connect_us: u32,
    /// Time from the start to the first byte of the upstream's answer, µs; 0 when there was none.
    pub first_byte_us: u32,
    /// Time from the start to the end of the exchange, µs (u32 holds 71 minutes: callers saturate).
    pub total_us: u32,
    /// Where the texts begin: the low 32 bits of the count of text bytes ever written. The ring's own.
    #[serde(skip)]
    pub text_position: u32,
    /// Bytes of all texts together with their framing. The ring's own.
    #[serde(skip)]
    pub text_length: u16,
    /// Id of the listener.
    pub listener: u16,
    /// Id of the route, or [`NONE`].
    pub route: u16,
    /// Id of the cluster, or [`NONE`].
    pub cluster: u16,
    /// Index of the endpoint in its cluster, or [`NONE`].
    pub endpoint: u16,
    /// Status sent to the client; 0 when no answer began.
    pub status: u16,
    /// Status that the upstream sent; 0 when it sent none.
    pub upstream_status: u16,
    /// The endpoint's address.
    pub upstream: Address,
    /// The client's address, after the PROXY protocol where that is accepted.
    pub downstream: Address,
    /// Upstream attempts made, the first one included.
    #[serde(rename = "attemptCount")]
    pub attempts: u8,
    /// Why the answer is what it is.
    pub flag: Flag,
    /// Kind of the error that ended the last failed attempt, 0 for none; the numbers are those of `error.rs`.
    pub cause: u8,
    /// Protocol of the client's side.
    pub protocol: Protocol,
    /// What policies decided.
    pub marks: Marks,
}

const _: () = assert!(size_of::<Record>() <= 136, "the fixed head of a record is at most 136 bytes");

impl Default for Record {
    fn default() -> Self {
        Self {
            seq: 0,
            start_unix_us: 0,
            request_bytes: 0,
            response_bytes: 0,
            trace_id: [0; 16],
            generation: 0,
            head_us: 0,
            connect_us: 0,
            first_byte_us: 0,
            total_us: 0,
            text_position: 0,
            text_length: 0,
            listener: NONE,
            route: NONE,
            cluster: NONE,
            endpoint: NONE,
            status: 0,
            upstream_status: 0,
            upstream: Address::NONE,
            downstream: Address::NONE,
            attempts: 0,
            flag: Flag::None,
            cause: 0,
            protocol: Protocol::Http11,
            marks: Marks::default(),
        }
    }
}

/// The texts of a record, as they stand in the exchange's buffers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    /// `x-request-id` as forwarded.
    pub request_id: &'a [u8],
    /// Method as on the wire.
    pub method: &'a [u8],
    /// Authority as sent.
    pub authority: &'a [u8],
    /// Path and query as received, before any rewrite.
    pub path: &'a [u8],
    /// Values of the headers that configuration names for records; the number is the place in that list.
    pub headers: &'a [(u8, &'a [u8])],
    /// Attempts, candidates and the failure's sentence, as [`frame`] lays them out.
    pub trail: &'a [u8],
}

/// A record with its texts, read out of a ring.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordOwned {
    /// The fixed head.
    #[serde(flatten)]
    pub record: Record,
    /// `x-request-id` as forwarded.
    #[serde(serialize_with = "text")]
    pub request_id: Vec<u8>,
    /// Method as on the wire.
    #[serde(serialize_with = "text")]
    pub method: Vec<u8>,
    /// Authority as sent.
    #[serde(serialize_with = "text")]
    pub authority: Vec<u8>,
    /// Path and query as received.
    #[serde(serialize_with = "text")]
    pub path: Vec<u8>,
    /// Values of the recorded headers by their place in the configured list.
    #[serde(serialize_with = "header_texts")]
    pub headers: Vec<(u8, Vec<u8>)>,
    /// Attempts, candidates and the failure's sentence.
    #[serde(flatten)]
    pub trail: Trail,
}

fn text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

fn header_texts<S: Serializer>(headers: &[(u8, Vec<u8>)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|(name, value)| (*name, String::from_utf8_lossy(value))))
}

/// Writes a trace id as on the wire, nothing for none.
pub(crate) fn hex<S: Serializer>(id: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    if *id == [0; 16] {
        return serializer.serialize_none();
    }
    serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(*id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_family_ip_and_port() {
        for text in ["127.0.0.1:80", "[::1]:8080", "[2001:db8::7]:65535", "10.1.2.3:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Address::from(address).socket(), Some(address));
            assert_eq!(Address::from(address).to_string(), text);
        }
        assert_eq!((Address::UNIX.socket(), Address::NONE.socket()), (None, None));
    }

    #[test]
    fn a_record_is_written_for_people_with_names_and_hexadecimal_ids() {
        let record =
            Record { flag: Flag::NoRouteFound, trace_id: [0xab; 16], upstream: Address::UNIX, ..Record::default() };
        let json = serde_json::to_value(record).unwrap();
        assert_eq!(json["flag"], "NR");
        assert_eq!(json["traceId"], "ab".repeat(16));
        assert_eq!(json["upstream"], "unix");
        assert_eq!(json["downstream"], serde_json::Value::Null);
        assert_eq!(json["protocol"], "HTTP/1.1");
    }
}
