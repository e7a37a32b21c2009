//! B3 propagation as Zipkin has it: one line `b3: <trace>-<span>-<sampled>-<parent>`, or a line for each (`x-b3-*`).
//!
//! Trace ids have 64 or 128 bits and keep their width; `d` and `x-b3-flags: 1` keep a trace whatever happens.

use super::hex::{self, Text};
use super::{Context, SpanId, TraceId};
use crate::http::head::{Known, RequestHead};

/// The context of the `b3` line; with a decision only, its trace is all zero. `None` when it is malformed.
pub(super) fn read_single(head: &RequestHead) -> Option<Context> {
    let line = head.get(Known::B3)?;
    let mut parts = line.split(|byte| *byte == b'-');
    let first = parts.next()?;
    let Some(second) = parts.next() else { return decision(first) };
    let (trace, short) = trace(first)?;
    let decided = parts.next().map_or(Some(Context::default()), decision)?;
    let parent_fits = parts.next().is_none_or(|parent| hex::read::<8>(parent).is_some());
    let context = Context { trace, short, parent: Some(span(second)?), ..decided };
    (parent_fits && parts.next().is_none()).then_some(context)
}

/// The context of the `x-b3-*` lines.
pub(super) fn read_multi(head: &RequestHead) -> Option<Context> {
    let flags = head.find(b"x-b3-flags");
    let decided = match head.find(b"x-b3-sampled") {
        _ if flags == Some(b"1") => Context { sampled: Some(true), debug: true, ..Context::default() },
        Some(text) => decision(text)?,
        None => Context::default(),
    };
    let Some(text) = head.find(b"x-b3-traceid") else { return decided.sampled.map(|_| decided) };
    let (trace, short) = trace(text)?;
    Some(Context { trace, short, parent: Some(span(head.find(b"x-b3-spanid")?)?), ..decided })
}

fn decision(text: &[u8]) -> Option<Context> {
    let (sampled, debug) = match text {
        b"1" | b"true" => (true, false),
        b"0" | b"false" => (false, false),
        b"d" => (true, true),
        _ => return None,
    };
    Some(Context { sampled: Some(sampled), debug, ..Context::default() })
}

fn trace(text: &[u8]) -> Option<(TraceId, bool)> {
    let id = match text.len() {
        16 => {
            let low: SpanId = hex::read(text)?;
            u128::from(u64::from_be_bytes(low)).to_be_bytes()
        }
        _ => hex::read(text)?,
    };
    (id != [0; 16]).then_some((id, text.len() == 16))
}

fn span(text: &[u8]) -> Option<SpanId> {
    hex::read(text).filter(|id| *id != [0; 8])
}

/// Writes the single line.
pub(super) fn write_single(head: &mut RequestHead, context: &Context, span: SpanId, sampled: bool) {
    let mut line = trace_text(context);
    line.text(b"-");
    line.hex(&span);
    line.text(match (context.debug, sampled) {
        (true, _) => b"-d",
        (false, true) => b"-1",
        (false, false) => b"-0",
    });
    if let Some(parent) = context.parent {
        line.text(b"-");
        line.hex(&parent);
    }
    head.append_own(Known::B3, b"b3", line.bytes());
}

/// Writes a line for each part.
pub(super) fn write_multi(head: &mut RequestHead, context: &Context, span: SpanId, sampled: bool) {
    let of = |id: &SpanId| {
        let mut text = Text::new();
        text.hex(id);
        text
    };
    head.append_own(Known::XB3, b"x-b3-traceid", trace_text(context).bytes());
    head.append_own(Known::XB3, b"x-b3-spanid", of(&span).bytes());
    if let Some(parent) = context.parent {
        head.append_own(Known::XB3, b"x-b3-parentspanid", of(&parent).bytes());
    }
    if context.debug {
        head.append_own(Known::XB3, b"x-b3-flags", b"1");
    } else {
        head.append_own(Known::XB3, b"x-b3-sampled", if sampled { b"1" } else { b"0" });
    }
}

fn trace_text(context: &Context) -> Text {
    let mut text = Text::new();
    let skipped = if context.short { 8 } else { 0 };
    text.hex(context.trace.get(skipped..).unwrap_or_default());
    text
}
