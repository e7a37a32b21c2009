//! The parsed head of a request or an answer: one buffer, slots into it, known-header ids.
//!
//! A head is filled by [`super::parse`], read by every phase and written out by [`super::forward`]. Invariants: each
//! slot lies inside `bytes`; each field's line stands there as `name: value CRLF`; names are tokens and values hold
//! no control byte except tab. Edits append to `bytes`, so slots handed out earlier stay valid until `clear`.

/// A half-open byte range of a head's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Slot {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// Bytes in the slot.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether the slot holds nothing.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The version a message was sent in. Forwarding always speaks 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// Methods that the framing or a policy treats by name; any other token is `Other` and is forwarded as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each variant is its method")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    Trace,
    Connect,
    Other,
}

impl Method {
    /// Methods are case-sensitive (RFC 9110 9.1): `get` is `Other`.
    pub fn of(text: &[u8]) -> Self {
        match text {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"PATCH" => Self::Patch,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Header names that the engine itself reads. `Other` is everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each variant is its field name")]
pub enum Known {
    Other,
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Te,
    Trailer,
    Upgrade,
    Expect,
    KeepAlive,
    ProxyConnection,
    ProxyAuthenticate,
    ProxyAuthorization,
    Date,
    Server,
    Via,
    UserAgent,
    XForwardedFor,
    XForwardedProto,
    XForwardedHost,
    XRequestId,
    Authorization,
    Cookie,
    Traceparent,
    Tracestate,
    B3,
    /// Any of the `x-b3-*` lines.
    XB3,
}

impl Known {
    /// The id of a field name in any case. Length and one letter select at most one candidate to compare.
    pub fn of(name: &[u8]) -> Self {
        let first = name.first().map_or(0, |byte| byte | 0x20);
        let (known, text): (Self, &[u8]) = match (name.len(), first) {
            (2, b't') => (Self::Te, b"te"),
            (2, b'b') => (Self::B3, b"b3"),
            (3, b'v') => (Self::Via, b"via"),
            (4, b'h') => (Self::Host, b"host"),
            (4, b'd') => (Self::Date, b"date"),
            (6, b'e') => (Self::Expect, b"expect"),
            (6, b's') => (Self::Server, b"server"),
            (6, b'c') => (Self::Cookie, b"cookie"),
            (7, b't') => (Self::Trailer, b"trailer"),
            (7, b'u') => (Self::Upgrade, b"upgrade"),
            (10, b'c') => (Self::Connection, b"connection"),
            (10, b'k') => (Self::KeepAlive, b"keep-alive"),
            (10, b't') => (Self::Tracestate, b"tracestate"),
            (11, b't') => (Self::Traceparent, b"traceparent"),
            // Before the two lines that share a length and a letter with them.
            (10..=12 | 17, b'x') if is_b3(name) => return Self::XB3,
            (10, b'u') => (Self::UserAgent, b"user-agent"),
            (12, b'x') => (Self::XRequestId, b"x-request-id"),
            (13, b'a') => (Self::Authorization, b"authorization"),
            (14, b'c') => (Self::ContentLength, b"content-length"),
            (15, b'x') => (Self::XForwardedFor, b"x-forwarded-for"),
            (16, b'p') => (Self::ProxyConnection, b"proxy-connection"),
            (16, b'x') => (Self::XForwardedHost, b"x-forwarded-host"),
            (17, b't') => (Self::TransferEncoding, b"transfer-encoding"),
            (17, b'x') => (Self::XForwardedProto, b"x-forwarded-proto"),
            (18, b'p') => (Self::ProxyAuthenticate, b"proxy-authenticate"),
            (19, b'p') => (Self::ProxyAuthorization, b"proxy-authorization"),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(text) { known } else { Self::Other }
    }
}

/// Whether a name is one of B3's lines for one part each.
fn is_b3(name: &[u8]) -> bool {
    const LINES: [&[u8]; 5] = [b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled", b"x-b3-flags"];
    matches!(name.get(2), Some(b'b' | b'B')) && LINES.iter().any(|line| name.eq_ignore_ascii_case(line))
}

/// One header line. Order and case are those of the wire.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name as written.
    pub name: Slot,
    /// The value without the white space around it.
    pub value: Slot,
    /// Which of the names the engine reads this is.
    pub known: Known,
}

/// A header section being read: what requests and answers have in common.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fields: &'a [Field],
}

impl<'a> Section<'a> {
    /// Values of every line of that name, in order.
    pub fn all(self, known: Known) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |field| field.known == known).map(move |field| field.value.of(self.bytes))
    }

    /// Value of the first line of that name.
    pub fn get(self, known: Known) -> Option<&'a [u8]> {
        self.all(known).next()
    }

    /// Value of the first line of any name, in any case.
    pub fn find(self, name: &[u8]) -> Option<&'a [u8]> {
        let found = self.fields.iter().find(|field| field.name.of(self.bytes).eq_ignore_ascii_case(name));
        found.map(|field| field.value.of(self.bytes))
    }

    /// Name and value of every line, in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.fields.iter().map(move |field| (field.name.of(self.bytes), field.value.of(self.bytes)))
    }

    /// The same with the id of each name.
    pub(crate) fn lines(self) -> impl Iterator<Item = (&'a [u8], &'a [u8], Known)> {
        self.fields.iter().map(move |field| (field.name.of(self.bytes), field.value.of(self.bytes), field.known))
    }

    /// Whether a comma-separated list field names this token, in any case.
    pub fn lists(self, known: Known, token: &[u8]) -> bool {
        self.all(known).any(|value| list(value).any(|item| item.eq_ignore_ascii_case(token)))
    }
}

/// Items of a comma-separated list, trimmed; empty ones are skipped (RFC 9110 5.6.1.2).
pub(super) fn list(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// What may stand in a field name, a method or a coding (RFC 9110 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// What may stand in a field value: no control byte except tab (RFC 9110 5.5).
pub(crate) fn is_value(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f))
}

/// A request head. Reused between requests (`clear` keeps the capacity).
#[derive(Debug)]
pub struct RequestHead {
    /// The head as it stood on the wire, then the normalised path and authority.
    pub bytes: Vec<u8>,
    /// What the method is to the engine; its text is `method_text`.
    pub method: Method,
    /// As sent by the client.
    pub version: Version,
    /// The method as written.
    pub method_text: Slot,
    /// Path as forwarded and matched: normalised, without the query.
    pub path: Slot,
    /// Query with its `?`, empty when there is none.
    pub query: Slot,
    /// Host without port, lower case, no trailing dot. Empty only for HTTP/1.0 without a Host.
    pub host: Slot,
    /// The authority as sent, for forwarding.
    pub authority: Slot,
    /// The header lines.
    pub fields: Vec<Field>,
}

/// The head of an answer.
#[derive(Debug)]
pub struct ResponseHead {
    /// The head as it stood on the wire.
    pub bytes: Vec<u8>,
    /// As sent by the upstream.
    pub version: Version,
    /// 100 to 999.
    pub status: u16,
    /// The reason phrase, often empty.
    pub reason: Slot,
    /// The header lines.
    pub fields: Vec<Field>,
}

/// What both heads can do with their header section.
macro_rules! section_methods {
    ($head:ident) => {
        impl $head {
            /// The bytes of a slot of this head.
            pub fn text(&self, slot: Slot) -> &[u8] {
                slot.of(&self.bytes)
            }

            /// The header section, to read.
            pub fn section(&self) -> Section<'_> {
                Section { bytes: &self.bytes, fields: &self.fields }
            }

            /// Value of the first line of that name.
            pub fn get(&self, known: Known) -> Option<&[u8]> {
                self.section().get(known)
            }

            /// Value of the first line of any name, in any case.
            pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
                self.section().find(name)
            }

            /// Adds a line after the others. False, and nothing changed, when it could not stand in a head.
            pub fn append(&mut self, name: &[u8], value: &[u8]) -> bool {
                let value = value.trim_ascii();
                if !is_token(name) || !is_value(value) {
                    return false;
                }
                let name_slot = push(&mut self.bytes, name);
                self.bytes.extend_from_slice(b": ");
                let value_slot = push(&mut self.bytes, value);
                self.bytes.extend_from_slice(b"\r\n");
                self.fields.push(Field { name: name_slot, value: value_slot, known: Known::of(name) });
                true
            }

            /// Removes every line that the engine knows by such a name.
            pub fn drop_known(&mut self, drops: impl Fn(Known) -> bool) {
                self.fields.retain(|field| !drops(field.known));
            }

            /// Removes every line of that name, in any case.
            pub fn remove(&mut self, name: &[u8]) {
                let bytes = &self.bytes;
                self.fields.retain(|field| !field.name.of(bytes).eq_ignore_ascii_case(name));
            }
        }

        impl Default for $head {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

section_methods!(RequestHead);
section_methods!(ResponseHead);

impl RequestHead {
    /// An empty head; it allocates when first filled.
    pub const fn new() -> Self {
        const NONE: Slot = Slot { start: 0, end: 0 };
        Self {
            bytes: Vec::new(),
            method: Method::Other,
            version: Version::Http11,
            method_text: NONE,
            path: NONE,
            query: NONE,
            host: NONE,
            authority: NONE,
            fields: Vec::new(),
        }
    }

    /// Forgets the request and keeps the buffers.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.method = Method::Other;
        self.version = Version::Http11;
        let none = Slot::default();
        (self.method_text, self.path, self.query, self.host, self.authority) = (none, none, none, none, none);
    }

    /// The method as written. Tokens are ASCII, so it is always text.
    pub fn method_str(&self) -> &str {
        str::from_utf8(self.text(self.method_text)).unwrap_or_default()
    }

    /// Adds a line of our own making: the caller vouches for its name, its id and its value.
    pub(crate) fn append_own(&mut self, known: Known, name: &'static [u8], value: &[u8]) {
        let name = push(&mut self.bytes, name);
        self.bytes.extend_from_slice(b": ");
        let value = push(&mut self.bytes, value);
        self.bytes.extend_from_slice(b"\r\n");
        self.fields.push(Field { name, value, known });
    }

    /// Path with its query: the target in origin form.
    pub fn target(&self) -> impl Iterator<Item = &[u8]> {
        [self.text(self.path), self.text(self.query)].into_iter()
    }

    /// Forwards to another path (a rewrite); the query stays. False, and nothing changed, when it is not a path.
    pub fn set_path(&mut self, path: &[u8]) -> bool {
        let fits = path.first() == Some(&b'/') && path.iter().all(|byte| byte.is_ascii_graphic());
        if !fits || path.iter().any(|byte| matches!(byte, b'?' | b'#')) {
            return false;
        }
        self.path = push(&mut self.bytes, path);
        true
    }

    /// Matches and forwards another path and query, the path normalised and the query with its `?`: the caller has
    /// checked both.
    pub(crate) fn set_target(&mut self, path: &[u8], query: &[u8]) {
        self.path = push(&mut self.bytes, path);
        self.query = push(&mut self.bytes, query);
    }

    /// Forwards with another Host (a rewrite); matching keeps `host`. False when it is not an authority.
    pub fn set_authority(&mut self, authority: &[u8]) -> bool {
        if super::path::scan_host(authority).is_err() {
            return false;
        }
        self.authority = push(&mut self.bytes, authority);
        true
    }
}

impl ResponseHead {
    /// An empty head; it allocates when first filled.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            version: Version::Http11,
            status: 0,
            reason: Slot { start: 0, end: 0 },
            fields: Vec::new(),
        }
    }

    /// Another final status, with its usual reason.
    pub(crate) fn set_status(&mut self, status: u16) {
        self.status = status;
        self.reason = push(&mut self.bytes, super::status::reason(status).as_bytes());
    }

    /// Forgets the answer and keeps the buffers.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.version = Version::Http11;
        self.status = 0;
        self.reason = Slot::default();
    }
}

/// Appends to a head's buffer and says where it went.
pub(super) fn push(bytes: &mut Vec<u8>, text: &[u8]) -> Slot {
    let start = bytes.len();
    bytes.extend_from_slice(text);
    Slot::new(start, bytes.len())
}
