//! Bytes of a connection to a head. Tokens are httparse's, every rule about their meaning is ours.
//!
//! Invariants: a head is accepted in one reading only, so what two parsers could read differently (bare LF or CR, folded
//! lines, two Hosts) is refused; the outcome does not depend on how the bytes were split into reads; nothing is
//! allocated once a head's buffers have grown.

use std::fmt;
use std::mem::MaybeUninit;

use super::head::{Field, Known, Method, RequestHead, ResponseHead, Slot, Version, push};
use super::path::{Spelling, rewrite_path, scan_host, scan_path};

/// What a listener or an upstream accepts as a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of the start line and all header lines with the empty line.
    pub max_bytes: usize,
    /// Header lines.
    pub max_fields: usize,
}

/// How far a head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// More bytes are needed; the head's content is unspecified.
    Partial,
    /// The bytes of input that the head took, leading empty lines included.
    Complete(usize),
}

/// Why a message is not taken. The connection is closed after it: what follows cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status to answer a request with; a malformed answer is 502 whatever stands here.
    pub status: u16,
    /// One plain lower-case sentence for the log and the record.
    pub reason: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }

    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(400, reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} ({})", self.reason, self.status)
    }
}

impl std::error::Error for Refusal {}

/// Empty lines before a request that are passed over (RFC 9112 2.2); a client that sends more is not speaking HTTP.
const MAX_EMPTY_LINES: usize = 4;
/// Fields that are tokenised without an allocation.
const INLINE_FIELDS: usize = 128;
/// A partial head longer than this is only searched for its end, so that a head that drips in costs no parse per byte.
const DRIP_BYTES: usize = 4096;

type Tokens<'b> = [MaybeUninit<httparse::Header<'b>>];

/// Parses a request head at the start of `input` and checks everything except the framing (see
/// [`super::framing::request_framing`]). Path and host come out normalised.
pub fn parse_request(input: &[u8], limits: HeadLimits, head: &mut RequestHead) -> Result<Parsed, Refusal> {
    head.clear();
    let Some(skipped) = skip_empty_lines(input)? else { return Ok(Parsed::Partial) };
    let input = input.get(skipped..).unwrap_or_default();
    let window = input.get(..limits.max_bytes).unwrap_or(input);
    if dripping(window) {
        return partial(input, limits);
    }
    let complete = with_tokens(limits, |tokens| {
        let mut request = httparse::Request::new(&mut []);
        let length = match request.parse_with_uninit_headers(window, tokens) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            // The verdict on a version must not depend on where a read ended: wait for the line.
            Err(httparse::Error::Version) if memchr::memchr(b'\n', window).is_none() => return Ok(None),
            Err(error) => return Err(request_refusal(error, window)),
        };
        let wire = window.get(..length).unwrap_or_default();
        let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
            return Err(Refusal::bad("the request line is incomplete"));
        };
        head.bytes.extend_from_slice(wire);
        head.method = Method::of(method.as_bytes());
        head.method_text = slot_in(wire, method.as_bytes());
        head.version = if version == 0 { Version::Http10 } else { Version::Http11 };
        read_fields(wire, request.headers, &mut head.fields)?;
        read_target(wire, target.as_bytes(), head)?;
        Ok(Some(length))
    })?;
    match complete {
        Some(length) => Ok(Parsed::Complete(skipped + length)),
        None => partial(input, limits),
    }
}

/// Parses the head of an answer. Any error is a malformed answer; a 101 that nobody asked for is the caller's to see.
pub fn parse_response(input: &[u8], limits: HeadLimits, head: &mut ResponseHead) -> Result<Parsed, Refusal> {
    head.clear();
    if matches!(input.first(), Some(b'\r' | b'\n')) {
        return Err(Refusal::bad("the answer begins with an empty line"));
    }
    let window = input.get(..limits.max_bytes).unwrap_or(input);
    if dripping(window) {
        return partial(input, limits);
    }
    let complete = with_tokens(limits, |tokens| {
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let length = match config.parse_response_with_uninit_headers(&mut response, window, tokens) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(field_refusal(error).unwrap_or(Refusal::bad("the status line is malformed"))),
        };
        let wire = window.get(..length).unwrap_or_default();
        let status = response.code.unwrap_or_default();
        if status < 100 {
            return Err(Refusal::bad("the status is below 100"));
        }
        head.bytes.extend_from_slice(wire);
        head.status = status;
        head.version = if response.version == Some(0) { Version::Http10 } else { Version::Http11 };
        head.reason = reason_slot(wire);
        read_fields(wire, response.headers, &mut head.fields)?;
        Ok(Some(length))
    })?;
    match complete {
        Some(length) => Ok(Parsed::Complete(length)),
        None => partial(input, limits),
    }
}

/// `None` while only empty lines have come.
fn skip_empty_lines(input: &[u8]) -> Result<Option<usize>, Refusal> {
    for lines in 0..=MAX_EMPTY_LINES {
        let at = lines * 2;
        match (input.get(at), input.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => {}
            (Some(b'\r'), None) | (None, _) => return Ok(None),
            (Some(b'\r' | b'\n'), _) => return Err(Refusal::bad("a line ends in a bare cr or lf")),
            _ => return Ok(Some(at)),
        }
    }
    Err(Refusal::bad("too many empty lines stand before the request"))
}

/// A long head whose end has not come.
fn dripping(window: &[u8]) -> bool {
    window.len() > DRIP_BYTES
        && !memchr::memchr_iter(b'\n', window).any(|at| {
            let rest = window.get(at + 1..).unwrap_or_default();
            rest.starts_with(b"\r\n") || rest.starts_with(b"\n")
        })
}

/// What an unfinished head is: a wait, unless no further byte can make it acceptable.
fn partial(input: &[u8], limits: HeadLimits) -> Result<Parsed, Refusal> {
    let mut line_start = 0;
    for at in memchr::memchr_iter(b'\n', input.get(..limits.max_bytes).unwrap_or(input)) {
        if at == line_start || input.get(at - 1) != Some(&b'\r') {
            return Err(Refusal::bad("a line ends in a bare cr or lf"));
        }
        line_start = at + 1;
    }
    if input.len() < limits.max_bytes {
        return Ok(Parsed::Partial);
    }
    Err(match line_start {
        0 => Refusal::new(414, "the request line is too long"),
        _ => Refusal::new(431, "the head is too large"),
    })
}

/// Gives `parse` room for the tokens of as many fields as are allowed.
fn with_tokens<'b, T>(limits: HeadLimits, parse: impl FnOnce(&mut Tokens<'b>) -> T) -> T {
    let mut inline = [const { MaybeUninit::uninit() }; INLINE_FIELDS];
    match inline.get_mut(..limits.max_fields) {
        Some(tokens) => parse(tokens),
        None => parse(&mut Box::new_uninit_slice(limits.max_fields)),
    }
}

fn request_refusal(error: httparse::Error, window: &[u8]) -> Refusal {
    if let Some(refusal) = field_refusal(error) {
        return refusal;
    }
    match error {
        httparse::Error::Version if names_other_version(window) => Refusal::new(505, "the version is not 1.0 or 1.1"),
        httparse::Error::Version => Refusal::bad("the request line does not end in a version"),
        httparse::Error::NewLine => Refusal::bad("a line ends in a bare cr or lf"),
        _ => Refusal::bad("the method or the target is malformed"),
    }
}

fn field_refusal(error: httparse::Error) -> Option<Refusal> {
    Some(match error {
        httparse::Error::HeaderName => Refusal::bad("a header name is malformed or a line is folded"),
        httparse::Error::HeaderValue => Refusal::bad("a header value holds a control byte"),
        httparse::Error::TooManyHeaders => Refusal::new(431, "there are too many header lines"),
        httparse::Error::NewLine => Refusal::bad("a line ends in a bare cr or lf"),
        _ => return None,
    })
}

/// Whether the request line ends in `HTTP/` digit `.` digit, and not in a version that we speak: then it is the text
/// before it that httparse took for a version.
fn names_other_version(window: &[u8]) -> bool {
    let line = memchr::memchr2(b'\r', b'\n', window).and_then(|end| window.get(..end)).unwrap_or_default();
    let version = memchr::memrchr(b' ', line).and_then(|space| line.get(space + 1..)).unwrap_or_default();
    match version.strip_prefix(b"HTTP/") {
        Some(b"1.0" | b"1.1") => false,
        numbers => matches!(numbers, Some([b'0'..=b'9', b'.', b'0'..=b'9'])),
    }
}

/// Where a part of `wire` lies in it.
fn slot_in(wire: &[u8], part: &[u8]) -> Slot {
    let start = (part.as_ptr() as usize).saturating_sub(wire.as_ptr() as usize);
    Slot::new(start, start + part.len())
}

/// Records the fields, and that each line before, between and after them ended in CRLF: httparse takes a bare LF for a
/// line end, and refuses every other LF and CR.
fn read_fields(wire: &[u8], tokens: &[httparse::Header<'_>], fields: &mut Vec<Field>) -> Result<(), Refusal> {
    let bare = Refusal::bad("a line ends in a bare cr or lf");
    for token in tokens {
        let name = slot_in(wire, token.name.as_bytes());
        if !wire.get(..name.start as usize).unwrap_or_default().ends_with(b"\r\n") {
            return Err(bare);
        }
        fields.push(Field { name, value: slot_in(wire, token.value), known: Known::of(token.name.as_bytes()) });
    }
    if wire.ends_with(b"\r\n\r\n") { Ok(()) } else { Err(bare) }
}

/// The reason phrase of a status line `HTTP/1.1 200 reason`; httparse hides one that is not ASCII.
fn reason_slot(wire: &[u8]) -> Slot {
    const START: usize = "HTTP/1.1 200 ".len();
    let end = memchr::memchr(b'\r', wire).unwrap_or_default();
    Slot::new(START.min(end), end)
}

/// Reads the target in the form that it has (RFC 9112 3.2) and decides path, query, authority and host.
fn read_target(wire: &[u8], target: &[u8], head: &mut RequestHead) -> Result<(), Refusal> {
    if head.method == Method::Connect {
        return Err(Refusal::new(405, "connect is not served"));
    }
    let field = host_field(head)?;
    match target {
        [b'/', ..] => {
            use_authority(field, head)?;
            use_path(target, slot_in(wire, target), head)
        }
        b"*" if head.method == Method::Options => {
            use_authority(field, head)?;
            head.path = slot_in(wire, target);
            Ok(())
        }
        b"*" => Err(Refusal::bad("the target * is for options only")),
        _ => {
            // The Host field must be valid, but the target's authority is the one that counts (RFC 9112 3.2.2).
            use_authority(field, head)?;
            read_absolute(wire, target, head)
        }
    }
}

/// `http://authority/path?query`. Without a path it means `/`, or `*` when the method is OPTIONS (RFC 9112 3.2.4).
fn read_absolute(wire: &[u8], target: &[u8], head: &mut RequestHead) -> Result<(), Refusal> {
    let Some(rest) = after_scheme(target) else {
        return Err(Refusal::bad("the target is neither a path nor an http uri"));
    };
    let length = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(length).unwrap_or_default();
    use_authority(Some(slot_in(wire, authority)), head)?;
    match path.first() {
        Some(b'/') => return use_path(path, slot_in(wire, path), head),
        Some(_) => use_path(path, slot_in(wire, path), head)?,
        None if head.method == Method::Options => {
            head.path = push(&mut head.bytes, b"*");
            return Ok(());
        }
        None => {}
    }
    head.path = push(&mut head.bytes, b"/");
    Ok(())
}

/// The one Host field: required in HTTP/1.1, optional in 1.0, never twice (RFC 9112 3.2).
fn host_field(head: &RequestHead) -> Result<Option<Slot>, Refusal> {
    let mut hosts = head.fields.iter().filter(|field| field.known == Known::Host);
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(Refusal::bad("the host header is repeated")),
        (Some(host), None) => Ok(Some(host.value)),
        (None, _) if head.version == Version::Http10 => Ok(None),
        (None, _) => Err(Refusal::bad("the host header is missing")),
    }
}

fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', target)?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    rest.strip_prefix(b"://").filter(|_| known)
}

/// Takes an authority for forwarding and its host for matching.
fn use_authority(authority: Option<Slot>, head: &mut RequestHead) -> Result<(), Refusal> {
    let Some(authority) = authority else { return Ok(()) };
    let host = scan_host(head.text(authority))?;
    head.authority = authority;
    head.host = Slot { start: authority.start, end: authority.start + host.end as u32 };
    if host.spelling == Spelling::Other {
        let lower = head.text(head.host).to_ascii_lowercase();
        head.host = push(&mut head.bytes, &lower);
    }
    Ok(())
}

/// Takes path and query: where they lie when the path is normal, else the normal path is appended to the head.
fn use_path(target: &[u8], at: Slot, head: &mut RequestHead) -> Result<(), Refusal> {
    let length = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at_checked(length).unwrap_or_default();
    if !query.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return Err(Refusal::bad("the query holds a fragment, a control byte or is not ascii"));
    }
    let split = at.start + length as u32;
    head.query = Slot { start: split, end: at.end };
    if path.is_empty() {
        return Ok(());
    }
    head.path = Slot { start: at.start, end: split };
    if scan_path(path)? == Spelling::Other {
        let start = head.bytes.len();
        rewrite_path(path, &mut head.bytes)?;
        head.path = Slot::new(start, head.bytes.len());
    }
    Ok(())
}
