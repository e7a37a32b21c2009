//! Values of header lines that configuration writes: fixed text, or text with operators named as the access log names
//! them. `%REQ(X-NAME)%` and `%RESP(X-NAME)%` are lines of the heads, `%REQ(:METHOD)%`, `%REQ(:AUTHORITY)%` and
//! `%REQ(:PATH)%` the start of the request, `%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%` the client; `%%` is a percent sign.

use std::fmt::{self, Write};

use smallvec::SmallVec;

use super::Facts;
use crate::http::head::{Known, RequestHead, ResponseHead};

/// The operators in the words of a message.
const OPERATORS: &str = "%REQ(NAME)%, %RESP(NAME)% or %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%; %% is a percent sign";

/// A value, compiled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HeaderText {
    pieces: Box<[Piece]>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(Box<[u8]>),
    Method,
    Authority,
    Path,
    RequestId,
    Client,
    Request(Box<[u8]>),
    Response(Box<[u8]>),
}

/// A value as it is being written, without the heap unless it is long.
#[derive(Default)]
pub(super) struct Scratch(SmallVec<[u8; 128]>);

impl Scratch {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Write for Scratch {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// What a value can speak of.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) facts: Facts<'a>,
    pub(super) request: &'a RequestHead,
    /// `None` on the way down.
    pub(super) response: Option<&'a ResponseHead>,
}

impl HeaderText {
    /// Compiles a value; the message says which operator is wrong.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut literal: Vec<u8> = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('%') {
            literal.extend_from_slice(before.as_bytes());
            let Some((operator, behind)) = behind.split_once('%') else {
                return Err(format!("a percent sign in `{text}` begins no operator: write {OPERATORS}"));
            };
            rest = behind;
            if operator.is_empty() {
                literal.push(b'%');
                continue;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces
                .push(Self::operator(operator).ok_or(format!("`%{operator}%` is not an operator: write {OPERATORS}"))?);
        }
        literal.extend_from_slice(rest.as_bytes());
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        Ok(Self { pieces: pieces.into() })
    }

    fn operator(text: &str) -> Option<Piece> {
        if text == "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" {
            return Some(Piece::Client);
        }
        let (name, argument) = text.strip_suffix(')')?.split_once('(')?;
        let argument = argument.to_ascii_lowercase();
        let header = || (!argument.is_empty() && !argument.starts_with(':')).then(|| argument.as_bytes().into());
        match (name, argument.as_str()) {
            ("REQ", ":method") => Some(Piece::Method),
            ("REQ", ":authority" | "host") => Some(Piece::Authority),
            ("REQ", ":path") => Some(Piece::Path),
            ("REQ", "x-request-id") => Some(Piece::RequestId),
            ("REQ", _) => header().map(Piece::Request),
            ("RESP", _) => header().map(Piece::Response),
            _ => None,
        }
    }

    /// The value where it is the same for all.
    pub(super) fn fixed(&self) -> Option<&[u8]> {
        match &*self.pieces {
            [] => Some(b""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The value; what is not there is no text.
    pub(super) fn write(&self, sources: &Sources<'_>) -> Scratch {
        let mut out = Scratch::default();
        let request = sources.request;
        for piece in &self.pieces {
            let text = match piece {
                Piece::Literal(text) => Some(&**text),
                Piece::Method => Some(request.text(request.method_text)),
                Piece::Authority => Some(request.text(request.authority)),
                Piece::Path => {
                    out.0.extend_from_slice(request.text(request.path));
                    Some(request.text(request.query))
                }
                Piece::RequestId => {
                    sources.facts.generated_id.map(str::as_bytes).or_else(|| request.get(Known::XRequestId))
                }
                Piece::Client => {
                    // Writing to memory cannot fail.
                    let _ = sources.facts.client.map_or(Ok(()), |client| write!(out, "{client}"));
                    None
                }
                Piece::Request(name) => request.find(name),
                Piece::Response(name) => sources.response.and_then(|head| head.find(name)),
            };
            out.0.extend_from_slice(text.unwrap_or_default());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse::{HeadLimits, parse_request};

    fn written(text: &str) -> String {
        let mut head = RequestHead::new();
        let limits = HeadLimits { max_bytes: 4096, max_fields: 100 };
        parse_request(b"GET /a?b HTTP/1.1\r\nHost: A:80\r\nX-User: u\r\n\r\n", limits, &mut head).unwrap();
        let facts = Facts {
            client: "10.0.0.7".parse().ok(),
            trusted_hops: 0,
            generated_id: Some("id-1"),
            retries_told: None,
            now: std::time::Instant::now(),
        };
        let sources = Sources { facts, request: &head, response: None };
        String::from_utf8(HeaderText::compile(text).unwrap().write(&sources).bytes().to_vec()).unwrap()
    }

    #[test]
    fn operators_are_replaced_by_what_they_stand_for() {
        assert_eq!(written("%REQ(x-user)%@%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"), "u@10.0.0.7");
        assert_eq!(written("%REQ(:METHOD)% %REQ(:AUTHORITY)%%REQ(:PATH)% %REQ(X-REQUEST-ID)%"), "GET A:80/a?b id-1");
        assert_eq!(written("100%% [%REQ(X-NONE)%] [%RESP(X-NONE)%]"), "100% [] []");
    }

    #[test]
    fn text_without_an_operator_is_fixed() {
        assert_eq!(HeaderText::compile("5%%").unwrap().fixed(), Some(&b"5%"[..]));
        assert_eq!(HeaderText::compile("").unwrap().fixed(), Some(&b""[..]));
        assert_eq!(HeaderText::compile("%REQ(a)%").unwrap().fixed(), None);
    }

    #[test]
    fn what_is_no_operator_is_refused_by_name() {
        for (text, part) in [
            ("50% off", "a percent sign in `50% off` begins no operator"),
            ("%REQ%", "`%REQ%` is not an operator"),
            ("%REQ()%", "`%REQ()%` is not an operator"),
            ("%RESP(:status)%", "`%RESP(:status)%` is not an operator"),
            ("%START_TIME%", "`%START_TIME%` is not an operator"),
        ] {
            assert!(HeaderText::compile(text).unwrap_err().contains(part), "{text}");
        }
    }
}
