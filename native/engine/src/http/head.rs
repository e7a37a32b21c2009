//! The parsed head of a request or an answer: one buffer, slots into it, known-header ids.

/// A half-open byte range of a head's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    pub start: u32,
    pub end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version { Http10, Http11 }

/// Methods that the framing or a policy treats by name; any other token is `Other` and is forwarded as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Method { Get, Head, Post, Put, Delete, Options, Patch, Trace, Connect, Other }

/// Header names that the engine itself reads. `Other` is everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Known {
    Other, Host, Connection, ContentLength, TransferEncoding, Te, Trailer, Upgrade, Expect, KeepAlive,
    ProxyConnection, ProxyAuthenticate, ProxyAuthorization, Date, Server, Via, UserAgent, XForwardedFor,
    XForwardedProto, XForwardedHost, XRequestId, Authorization, Cookie,
}

/// One header line. Order and case are those of the wire.
#[derive(Clone, Copy, Debug)]
pub struct Field { pub name: Slot, pub value: Slot, pub known: Known }

/// A request head. Reused between requests (`clear` keeps the capacity).
#[derive(Debug)]
pub struct RequestHead {
    /// The head as it stood on the wire, then the normalised path and authority.
    pub bytes: Vec<u8>,
    pub method: Method,
    pub version: Version,
    pub method_text: Slot,
    /// Path as forwarded and matched: normalised, without the query.
    pub path: Slot,
    /// Query with its `?`, empty when there is none.
    pub query: Slot,
    /// Host without port, lower case, no trailing dot; and the authority as sent (for forwarding).
    pub host: Slot,
    pub authority: Slot,
    pub fields: Vec<Field>,
}

/// The head of an answer.
#[derive(Debug)]
pub struct ResponseHead {
    pub bytes: Vec<u8>,
    pub version: Version,
    pub status: u16,
    pub reason: Slot,
    pub fields: Vec<Field>,
}

// accessors: new(), clear(), text(slot)->&[u8], get(Known)->Option<&[u8]>, find(&[u8])->Option<&[u8]> (case-insensitive), method_str(), …
