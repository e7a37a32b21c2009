//! W3C Trace Context: `traceparent: 00-<trace>-<span>-<flags>` (level 2, sections 3.2 and 4).

use super::hex::{self, Text};
use super::{Context, SpanId};
use crate::http::head::{Known, RequestHead};

/// Length in version 00; a later version may go on behind a dash.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;

/// The context of the one `traceparent`; `None` when it is missing, repeated or malformed.
pub(super) fn read(head: &RequestHead) -> Option<Context> {
    let mut lines = head.section().all(Known::Traceparent);
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    parse(line)
}

fn parse(line: &[u8]) -> Option<Context> {
    let (version, rest) = field::<1>(line)?;
    let (trace, rest) = field(rest)?;
    let (span, rest) = field(rest)?;
    let ([flags], rest) = (hex::read::<1>(rest.get(..2)?)?, rest.get(2..)?);
    let ends = match version {
        [0] => line.len() == LENGTH,
        [0xff] => false,
        _ => rest.is_empty() || rest.first() == Some(&b'-'),
    };
    let lower = !line.get(..LENGTH)?.iter().any(u8::is_ascii_uppercase);
    (ends && lower && trace != [0; 16] && span != [0; 8]).then_some(Context {
        trace,
        parent: Some(span),
        sampled: Some(flags & SAMPLED != 0),
        random: flags & RANDOM != 0,
        ..Context::default()
    })
}

/// An id and the dash behind it.
fn field<const BYTES: usize>(text: &[u8]) -> Option<([u8; BYTES], &[u8])> {
    let (digits, rest) = text.split_at_checked(BYTES * 2)?;
    Some((hex::read(digits)?, rest.strip_prefix(b"-")?))
}

/// Writes the line for the endpoint.
pub(super) fn write(head: &mut RequestHead, context: &Context, span: SpanId, sampled: bool) {
    let mut line = Text::new();
    line.text(b"00-");
    line.hex(&context.trace);
    line.text(b"-");
    line.hex(&span);
    line.text(b"-");
    line.hex(&[if sampled { SAMPLED } else { 0 } | if context.random { RANDOM } else { 0 }]);
    head.append_own(Known::Traceparent, b"traceparent", line.bytes());
}
