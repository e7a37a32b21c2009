//! A fixed answer: its status, its own header lines ready to be copied, its body.

use super::changes::{HeaderChanges, InvalidLine, check};

/// A fixed answer. What belongs to one exchange (date, id, connection) is written beside it.
#[derive(Clone, Debug)]
pub struct Direct {
    /// 200 to 599.
    pub status: u16,
    /// `name: value CRLF` of each line.
    pub lines: Box<[u8]>,
    /// Its body.
    pub body: Box<[u8]>,
}

impl Direct {
    /// An answer of these lines with the changes made to them. Text without a type of its own is plain text.
    pub fn new(
        status: u16,
        lines: &[(&str, &str)],
        body: &str,
        changes: Option<&HeaderChanges>,
    ) -> Result<Self, InvalidLine> {
        const PLAIN: (&str, &str) = ("content-type", "text/plain; charset=utf-8");
        let typed = body.is_empty() || lines.iter().any(|(name, _)| name.eq_ignore_ascii_case(PLAIN.0));
        let mut out = Vec::new();
        for (place, (name, value)) in lines.iter().chain((!typed).then_some(&PLAIN)).enumerate() {
            check(place, name, value)?;
            if !changes.is_some_and(|changes| changes.drops(name.as_bytes())) {
                [*name, ": ", value.trim(), "\r\n"].iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
            }
        }
        out.extend_from_slice(changes.map_or(&[], HeaderChanges::lines));
        Ok(Self { status, lines: out.into(), body: body.as_bytes().into() })
    }

    /// Whether a body, or its length of 0, goes with the status (RFC 9112 6.3).
    pub fn has_body(&self) -> bool {
        !matches!(self.status, 204 | 304)
    }
}
