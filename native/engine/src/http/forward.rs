//! Heads on their way out: what was parsed, minus what belongs to one connection, plus what a proxy owes.
//!
//! Invariants: framing lines are written from [`Framing`], never copied; no hop-by-hop field passes (RFC 9110 7.6.1),
//! and a sender cannot make an end-to-end field vanish that others rely on by naming it in Connection; order and case
//! of all other lines stay. Lines that stay side by side are copied as one run.

use super::changes::HeaderChanges;
use super::framing::{Framing, response_length};
use super::head::{Field, Known, RequestHead, ResponseHead, Section, Slot, Version, list};

/// What the exchange adds to a request.
#[derive(Clone, Copy, Debug)]
pub struct ForwardRequest<'a> {
    /// IP address for `x-forwarded-for`; `unknown` for unix sockets.
    pub client: &'a str,
    /// `http` or `https`: how the client reached the listener.
    pub scheme: &'static str,
    /// Some: replaces the request's own; None: its own is kept.
    pub request_id: Option<&'a str>,
    /// Of the body as it will be written.
    pub framing: Framing,
    /// Ask the upstream for the protocol that the client asks for.
    pub upgrade: bool,
    /// Let the upstream decide on the client's expectation.
    pub expect_continue: bool,
    /// What the route changes.
    pub changes: RequestChanges<'a>,
}

/// The line that tells proxies on the way back that this failure has been retried as often as it should be: were each
/// of them to retry it again, every layer would multiply the attempts at the one that fails.
pub const RETRIES_SPENT: (&[u8], &[u8]) = (b"x-weft-retries", b"spent");
/// What a route changes in a request. The head itself stays as it was: matching, record and log read it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestChanges<'a> {
    /// Another path, in two parts; the query stays. The path that was asked for goes along as `x-envoy-original-path`.
    pub path: Option<[&'a [u8]; 2]>,
    /// Another authority.
    pub authority: Option<&'a [u8]>,
    /// Lines left out and added.
    pub headers: Option<&'a HeaderChanges>,
}

impl RequestChanges<'_> {
    /// No change.
    pub const NONE: Self = Self { path: None, authority: None, headers: None };

    fn drops(&self, name: &[u8]) -> bool {
        self.headers.is_some_and(|changes| changes.drops(name))
            || (self.path.is_some() && name.eq_ignore_ascii_case(ORIGINAL_PATH))
    }
}

/// What the path was before it was rewritten.
const ORIGINAL_PATH: &[u8] = b"x-envoy-original-path";

/// What becomes of the downstream connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It serves further requests.
    KeepAlive,
    /// It is closed.
    Close,
    /// It becomes a tunnel (101).
    Upgrade,
}

/// What the exchange adds to an answer.
#[derive(Clone, Copy, Debug)]
pub struct ForwardResponse<'a> {
    /// Of the body as it will be written (see [`super::framing::downstream_framing`]). `None` with a Content-Length in
    /// the head is the answer to a HEAD, or a 304: the length is information there and stays.
    pub framing: Framing,
    /// What becomes of the connection. `UntilClose` closes it whatever stands here.
    pub connection: Connection,
    /// The version that the client spoke.
    pub client_version: Version,
    /// An IMF-fixdate, written when the answer has none.
    pub date: &'a str,
    /// This failure has been retried enough.
    pub retries_spent: bool,
    /// Lines that the route leaves out and adds.
    pub changes: Option<&'a HeaderChanges>,
    /// Lines of the exchange's own, each with its end.
    pub added: &'a [u8],
}

/// Writes a request as HTTP/1.1 in origin form.
pub fn encode_request(head: &RequestHead, fwd: &ForwardRequest<'_>, out: &mut Vec<u8>) {
    out.reserve(head.bytes.len() + 256);
    let section = head.section();
    let [path, behind] = fwd.changes.path.unwrap_or([head.text(head.path), b""]);
    put(out, &[head.text(head.method_text), b" ", path, behind, head.text(head.query), b" HTTP/1.1\r\n"]);

    // A Host that says what the authority says stays where it stands; else ours comes first (RFC 9110 7.2).
    let authority = fwd.changes.authority.unwrap_or(head.text(head.authority));
    let mut keep_host = section.get(Known::Host).is_some_and(|value| value == authority);
    if !keep_host {
        put(out, &[b"host: ", authority, b"\r\n"]);
    }
    let nominated = Nominated::by(section);
    let changed = fwd.changes.headers.is_some() || fwd.changes.path.is_some();
    copy_lines(section, out, |field| match field.known {
        _ if changed && fwd.changes.drops(field.name.of(section.bytes)) => false,
        Known::Host => std::mem::replace(&mut keep_host, false),
        Known::XRequestId => fwd.request_id.is_none(),
        Known::XForwardedFor | Known::XForwardedProto | Known::Expect => false,
        known => !hop_by_hop(known) && known != Known::Via && !nominated.names(field),
    });
    if changed {
        put_request_changes(head, fwd.changes, out);
    }
    put_request_framing(fwd.framing, head, out);
    if fwd.upgrade {
        put(out, &[b"connection: upgrade\r\n"]);
        let mut protocols = section.all(Known::Upgrade).flat_map(list).filter(|p| !p.eq_ignore_ascii_case(b"h2c"));
        put_list(out, b"upgrade", &mut protocols, &[]);
    } else if accepts_trailers(section) {
        // RFC 9110 10.1.4: TE itself is hop-by-hop and must be named in Connection.
        put(out, &[b"connection: te\r\nte: trailers\r\n"]);
    }
    if fwd.expect_continue {
        put(out, &[b"expect: 100-continue\r\n"]);
    }
    put_list(out, b"x-forwarded-for", &mut section.all(Known::XForwardedFor), &[fwd.client.as_bytes()]);
    put(out, &[b"x-forwarded-proto: ", fwd.scheme.as_bytes(), b"\r\n"]);
    if let Some(id) = fwd.request_id {
        put(out, &[b"x-request-id: ", id.as_bytes(), b"\r\n"]);
    }
    put_via(section, head.version, out);
    put(out, &[b"\r\n"]);
}

fn put_request_changes(head: &RequestHead, changes: RequestChanges<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(changes.headers.map_or(&[], HeaderChanges::lines));
    if changes.path.is_some() {
        put(out, &[ORIGINAL_PATH, b": ", head.text(head.path), head.text(head.query), b"\r\n"]);
    }
}

/// Writes a final answer, or the 101 of an upgrade. The status line says HTTP/1.1 to every client (RFC 9112 2.3).
pub fn encode_response(head: &ResponseHead, fwd: &ForwardResponse<'_>, out: &mut Vec<u8>) {
    out.reserve(head.bytes.len() + 192);
    let section = head.section();
    put_status_line(head, out);
    let nominated = Nominated::by(section);
    let mut dated = false;
    copy_lines(section, out, |field| match field.known {
        _ if fwd.changes.is_some_and(|changes| changes.drops(field.name.of(section.bytes))) => false,
        Known::Date => !std::mem::replace(&mut dated, true),
        known => !hop_by_hop(known) && known != Known::Via && !nominated.names(field),
    });
    out.extend_from_slice(fwd.changes.map_or(&[], HeaderChanges::lines));
    out.extend_from_slice(fwd.added);
    if !dated {
        put(out, &[b"date: ", fwd.date.as_bytes(), b"\r\n"]);
    }
    put_via(section, head.version, out);
    if fwd.retries_spent {
        put(out, &[RETRIES_SPENT.0, b": ", RETRIES_SPENT.1, b"\r\n"]);
    }
    put_response_framing(fwd.framing, head, out);
    match (fwd.connection, fwd.client_version) {
        (Connection::Upgrade, _) => {
            put(out, &[b"connection: upgrade\r\n"]);
            put_list(out, b"upgrade", &mut section.all(Known::Upgrade), &[]);
        }
        (Connection::Close, _) => put(out, &[b"connection: close\r\n"]),
        _ if fwd.framing == Framing::UntilClose => put(out, &[b"connection: close\r\n"]),
        (Connection::KeepAlive, Version::Http10) => put(out, &[b"connection: keep-alive\r\n"]),
        (Connection::KeepAlive, Version::Http11) => {}
    }
    put(out, &[b"\r\n"]);
}

/// Writes a 1xx answer with its end-to-end fields. Not for HTTP/1.0 clients, which know none (RFC 9110 15.2).
pub fn encode_informational(head: &ResponseHead, out: &mut Vec<u8>) {
    let section = head.section();
    put_status_line(head, out);
    let nominated = Nominated::by(section);
    copy_lines(section, out, |field| !hop_by_hop(field.known) && !nominated.names(field));
    put(out, &[b"\r\n"]);
}

/// Writes the head of a local reply, all of whose lines are our own.
pub fn encode_local(head: &ResponseHead, out: &mut Vec<u8>) {
    put_status_line(head, out);
    copy_lines(head.section(), out, |_| true);
    put(out, &[b"\r\n"]);
}

/// Fields of one connection and of its framing (RFC 9110 7.6.1, RFC 9112 6).
fn hop_by_hop(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::ContentLength
            | Known::TransferEncoding
            | Known::Te
            | Known::Upgrade
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::ProxyAuthenticate
            | Known::ProxyAuthorization
    )
}

/// The names that a Connection field makes hop-by-hop (RFC 9110 7.6.1).
#[derive(Clone, Copy)]
struct Nominated<'a> {
    section: Section<'a>,
    any: bool,
}

impl<'a> Nominated<'a> {
    fn by(section: Section<'a>) -> Self {
        const DIRECTIVES: [&[u8]; 4] = [b"keep-alive", b"close", b"upgrade", b"te"];
        let directive = |item: &[u8]| DIRECTIVES.iter().any(|known| item.eq_ignore_ascii_case(known));
        let any = section.all(Known::Connection).flat_map(list).any(|item| !directive(item));
        Self { section, any }
    }

    fn names(self, field: &Field) -> bool {
        let name = field.name.of(self.section.bytes);
        self.any && !relied_upon(field.known, name) && self.section.lists(Known::Connection, name)
    }
}

/// Fields that others decide by: naming them in Connection must not make them vanish.
fn relied_upon(known: Known, name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 4] = [b"x-forwarded", b"forwarded", b"x-real-ip", b"x-request-id"];
    const NAMES: [&[u8]; 2] = [b"cache-control", b"set-cookie"];
    matches!(known, Known::Host | Known::Authorization | Known::Cookie | Known::Date | Known::Via)
        || PREFIXES.iter().any(|prefix| name.get(..prefix.len()).is_some_and(|text| text.eq_ignore_ascii_case(prefix)))
        || NAMES.iter().any(|text| name.eq_ignore_ascii_case(text))
}

/// Copies the lines that `keep` passes, neighbours together.
fn copy_lines(section: Section<'_>, out: &mut Vec<u8>, mut keep: impl FnMut(&Field) -> bool) {
    let mut run = Slot::default();
    for field in section.fields {
        if !keep(field) {
            continue;
        }
        let end = line_end(section.bytes, field.value.end);
        if field.name.start != run.end {
            out.extend_from_slice(run.of(section.bytes));
            run.start = field.name.start;
        }
        run.end = end;
    }
    out.extend_from_slice(run.of(section.bytes));
}

/// One past the line's LF; white space may stand before it.
fn line_end(bytes: &[u8], value_end: u32) -> u32 {
    let rest = bytes.get(value_end as usize..).unwrap_or_default();
    if rest.starts_with(b"\r\n") {
        return value_end + 2;
    }
    value_end + memchr::memchr(b'\n', rest).map_or(0, |at| at as u32 + 1)
}

fn put_request_framing(framing: Framing, head: &RequestHead, out: &mut Vec<u8>) {
    match framing {
        Framing::Length(length) => put_length(length, out),
        Framing::Chunked => put(out, &[b"transfer-encoding: chunked\r\n"]),
        // A body that was announced and is gone (a filter took it) is announced as empty (RFC 9110 8.6).
        Framing::None if head.get(Known::ContentLength).is_some() => put_length(0, out),
        // A request cannot end with its connection.
        Framing::None | Framing::UntilClose => {}
    }
}

fn put_response_framing(framing: Framing, head: &ResponseHead, out: &mut Vec<u8>) {
    let bodiless = head.status < 200 || head.status == 204;
    match framing {
        _ if bodiless => {}
        Framing::Length(length) => put_length(length, out),
        Framing::Chunked => put(out, &[b"transfer-encoding: chunked\r\n"]),
        Framing::None => {
            if let Ok(Some(length)) = response_length(head) {
                put_length(length, out);
            }
        }
        Framing::UntilClose => {}
    }
}

fn put_status_line(head: &ResponseHead, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    put(out, &[b"HTTP/1.1 ", digits.format(head.status).as_bytes(), b" ", head.text(head.reason), b"\r\n"]);
}

fn put_length(length: u64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    put(out, &[b"content-length: ", digits.format(length).as_bytes(), b"\r\n"]);
}

/// RFC 9110 7.6.3: each hop appends itself with the version that it received.
fn put_via(section: Section<'_>, received: Version, out: &mut Vec<u8>) {
    let own: &[u8] = match received {
        Version::Http10 => b"1.0 weft",
        Version::Http11 => b"1.1 weft",
    };
    put_list(out, b"via", &mut section.all(Known::Via), &[own]);
}

/// One line of all values, the new ones last. Nothing when there is no value.
fn put_list<'a>(out: &mut Vec<u8>, name: &[u8], values: &mut dyn Iterator<Item = &'a [u8]>, own: &[&'a [u8]]) {
    let start = out.len();
    put(out, &[name]);
    let mut separator: &[u8] = b": ";
    for value in values.filter(|value| !value.is_empty()).chain(own.iter().copied()) {
        put(out, &[separator, value]);
        separator = b", ";
    }
    if separator == b": " { out.truncate(start) } else { put(out, &[b"\r\n"]) }
}

/// Whether the client takes trailers. Other transfer codings that it may take are between it and us.
fn accepts_trailers(section: Section<'_>) -> bool {
    section.lists(Known::Te, b"trailers")
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
#[path = "forward_tests.rs"]
mod tests;
