//! Trace context: read from the request, continued or begun, written for the endpoint.
//!
//! Without `tracing` in the configuration the lines pass as they came and only the id is read, for record and log: a
//! span of ours that nobody exports would cut the caller's spans from the endpoint's. With it, every exchange is a span:
//! the endpoint sees the same trace with our span as its parent, in the formats that came and in W3C Trace Context in any
//! case. What is malformed is replaced by a new trace.
//!
//! The caller's decision to sample stands. Where there is none, the request id decides, so that every hop that sees the
//! same id decides the same (RFC: none; the hash is FNV-1a with Murmur3's finaliser, and must not change).

mod b3;
mod hex;
mod w3c;

use crate::http::head::{Known, RequestHead};
use crate::snapshot::Tracing;

/// A trace id as on the wire; all zero for none.
pub type TraceId = [u8; 16];
/// A span id as on the wire.
type SpanId = [u8; 8];

/// What a request said about its trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Context {
    trace: TraceId,
    /// The caller's span.
    parent: Option<SpanId>,
    sampled: Option<bool>,
    /// B3's order to keep this trace whatever happens.
    debug: bool,
    /// W3C's mark of a trace id that is random enough to sample by.
    random: bool,
    /// B3 wrote the trace id with 64 bits.
    short: bool,
}

/// In which lines a request spoke of traces.
#[derive(Clone, Copy, Default)]
struct Spoken {
    w3c: bool,
    b3: bool,
    multi: bool,
}

/// What became of a request's trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Its id; all zero for none.
    pub trace: TraceId,
    /// It is sampled, by the caller's decision or ours.
    pub sampled: bool,
}

/// Carries the trace on. `generated_id` is the exchange's where the client brought none.
pub fn carry(head: &mut RequestHead, tracing: Option<Tracing>, generated_id: Option<&str>) -> Carried {
    let spoken = Spoken::of(head);
    let came = spoken.read(head);
    let Some(tracing) = tracing else {
        let seen =
            |(context, _): (Context, bool)| Carried { trace: context.trace, sampled: context.sampled == Some(true) };
        return came.map_or_else(Carried::default, seen);
    };
    let (mut context, keeps_state) = came.unwrap_or_default();
    if context.trace == [0; 16] {
        context.trace = random_trace();
        context.parent = None;
    }
    let sampled = context.sampled.unwrap_or_else(|| {
        let id = generated_id.map(str::as_bytes).or_else(|| head.get(Known::XRequestId));
        is_sampled(id.unwrap_or_default(), tracing.sampling_ppm)
    });
    if spoken.w3c || spoken.b3 || spoken.multi {
        head.drop_known(|known| match known {
            Known::Traceparent | Known::B3 | Known::XB3 => true,
            Known::Tracestate => !keeps_state,
            _ => false,
        });
    }
    let span = random_span();
    w3c::write(head, &context, span, sampled);
    if spoken.b3 {
        b3::write_single(head, &context, span, sampled);
    }
    if spoken.multi {
        b3::write_multi(head, &context, span, sampled);
    }
    Carried { trace: context.trace, sampled }
}

impl Spoken {
    fn of(head: &RequestHead) -> Self {
        let mut spoken = Self::default();
        for field in &head.fields {
            match field.known {
                Known::Traceparent | Known::Tracestate => spoken.w3c = true,
                Known::B3 => spoken.b3 = true,
                Known::XB3 => spoken.multi = true,
                _ => {}
            }
        }
        spoken
    }

    /// The context, and whether its `tracestate` belongs to it. W3C is believed first.
    fn read(self, head: &RequestHead) -> Option<(Context, bool)> {
        let w3c = self.w3c.then(|| w3c::read(head)).flatten().map(|context| (context, true));
        w3c.or_else(|| self.b3.then(|| b3::read_single(head)).flatten().map(|context| (context, false)))
            .or_else(|| self.multi.then(|| b3::read_multi(head)).flatten().map(|context| (context, false)))
    }
}

/// Random ids that are not all zero. They name a trace and a span; they are no secrets.
fn random_trace() -> TraceId {
    fastrand::u128(1..).to_be_bytes()
}

fn random_span() -> SpanId {
    fastrand::u64(1..).to_be_bytes()
}

/// Whether a trace that begins with this request id is sampled.
fn is_sampled(request_id: &[u8], ppm: u32) -> bool {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = request_id.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    ((u128::from(hash) * 1_000_000) >> 64) < ppm.into()
}

#[cfg(test)]
mod tests;
