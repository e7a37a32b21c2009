//! What an answer's head says to a retry policy.

use std::time::{Duration, UNIX_EPOCH};

use crate::http::forward::RETRIES_SPENT;
use crate::http::head::ResponseHead;
use crate::snapshot::{GenerationRetry, RetryOn};

/// What an answer's head says to a retry policy. Without a policy nothing but the status is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its status.
    pub status: u16,
    /// It says `x-envoy-ratelimited`.
    pub rate_limited: bool,
    /// It says that a proxy behind has spent its retries.
    pub spent: bool,
    /// The word for its `grpc-status`. One that comes in trailers is too late: the answer has begun by then.
    pub grpc: Option<RetryOn>,
    /// One of the policy's header lines is there.
    pub header: bool,
    /// How long it asks to wait, where the policy listens to that.
    pub wait: Option<Duration>,
}

const GRPC: [RetryOn; 5] = [
    RetryOn::Cancelled,
    RetryOn::DeadlineExceeded,
    RetryOn::Internal,
    RetryOn::ResourceExhausted,
    RetryOn::Unavailable,
];

/// Where a number stops being seconds from now and starts being seconds since 1970: 2001, or 31 years.
const FIRST_UNIX_TIME: u64 = 1_000_000_000;

impl Said {
    /// Reads what the policy asks about. `unix_us`: now, for dates.
    #[inline]
    pub fn of(head: &ResponseHead, policy: Option<&GenerationRetry>, unix_us: impl FnOnce() -> u64) -> Self {
        let plain = Self { status: head.status, ..Self::default() };
        let Some(policy) = policy else { return plain };
        let grpc = if policy.on.has(&GRPC) { grpc(head) } else { None };
        let header = policy.on.has(&[RetryOn::RetriableHeaders]) && names_one(policy, head);
        if head.status < 400 && grpc.is_none() && !header {
            return plain;
        }
        Self {
            grpc,
            header,
            rate_limited: head.find(b"x-envoy-ratelimited").is_some(),
            spent: head.find(RETRIES_SPENT.0).is_some_and(|value| value == RETRIES_SPENT.1),
            wait: policy.retry_after_max.and_then(|_| wait(head, unix_us())),
            ..plain
        }
    }
}

fn names_one(policy: &GenerationRetry, head: &ResponseHead) -> bool {
    policy.retriable_headers.iter().any(|condition| condition.test.passes(head.find(condition.name.as_bytes())))
}

/// The status codes of gRPC that are worth another attempt.
fn grpc(head: &ResponseHead) -> Option<RetryOn> {
    match head.find(b"grpc-status")? {
        b"1" => Some(RetryOn::Cancelled),
        b"4" => Some(RetryOn::DeadlineExceeded),
        b"8" => Some(RetryOn::ResourceExhausted),
        b"13" => Some(RetryOn::Internal),
        b"14" => Some(RetryOn::Unavailable),
        _ => None,
    }
}

/// How long an answer asks to wait: `retry-after` in seconds or as a date (RFC 9110 10.2.3), else `x-ratelimit-reset`,
/// which some write as seconds from now and some as seconds since 1970.
fn wait(head: &ResponseHead, unix_us: u64) -> Option<Duration> {
    let value = |name: &[u8]| head.find(name).and_then(|value| str::from_utf8(value).ok()).map(str::trim);
    let until = |at: Duration| at.saturating_sub(Duration::from_micros(unix_us));
    let after = value(b"retry-after").and_then(|text| match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok().map(until),
    });
    after.or_else(|| {
        let seconds: u64 = value(b"x-ratelimit-reset")?.parse().ok()?;
        let written = Duration::from_secs(seconds);
        Some(if seconds < FIRST_UNIX_TIME { written } else { until(written) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse::{HeadLimits, parse_response};
    use crate::upstream::retry::tests::policy;

    fn head(status: u16, lines: &str) -> ResponseHead {
        let mut head = ResponseHead::new();
        let limits = HeadLimits { max_bytes: 4096, max_fields: 100 };
        parse_response(format!("HTTP/1.1 {status} \r\n{lines}\r\n").as_bytes(), limits, &mut head).unwrap();
        head
    }

    /// 2026-11-21 00:00:00 UTC.
    const NOW: u64 = 1_795_219_200;

    #[test]
    fn a_wait_is_seconds_or_a_date_and_what_is_neither_is_none() {
        for (lines, seconds) in [
            ("Retry-After: 120\r\n", Some(120)),
            ("retry-after:  0 \r\n", Some(0)),
            ("Retry-After: Sat, 21 Nov 2026 00:01:30 GMT\r\n", Some(90)),
            ("Retry-After: Fri, 20 Nov 2026 23:00:00 GMT\r\n", Some(0)),
            ("Retry-After: soon\r\n", None),
            ("Retry-After: -1\r\n", None),
            ("Retry-After: 99999999999999999999999\r\n", None),
            ("X-RateLimit-Reset: 7\r\n", Some(7)),
            ("X-RateLimit-Reset: 1795219260\r\n", Some(60)),
            ("X-RateLimit-Reset: 1795219100\r\n", Some(0)),
            ("X-RateLimit-Reset: 5\r\nRetry-After: 2\r\n", Some(2)),
            ("X-RateLimit-Reset: 5\r\nRetry-After: soon\r\n", Some(5)),
            ("", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(wait(&head(429, lines), NOW * 1_000_000), expected, "{lines}");
        }
    }

    #[test]
    fn what_the_policy_does_not_ask_about_is_not_read() {
        let lines = "Retry-After: 5\r\ngrpc-status: 14\r\n";
        let none = Said { status: 503, ..Said::default() };
        assert_eq!(Said::of(&head(503, lines), None, || unreachable!()), none);
        let plain = policy(&[RetryOn::ServerError], 1);
        assert_eq!(Said::of(&head(503, lines), Some(&plain), || unreachable!()), none);
        let mut asking = policy(&[RetryOn::Cancelled], 1);
        asking.retry_after_max = Some(Duration::from_secs(60));
        let said = Said::of(&head(200, lines), Some(&asking), || 0);
        assert_eq!((said.grpc, said.wait), (Some(RetryOn::Unavailable), Some(Duration::from_secs(5))));
        assert_eq!(Said::of(&head(200, "Retry-After: 5\r\n"), Some(&asking), || unreachable!()).wait, None);
    }

    #[test]
    fn a_header_of_the_policy_is_found_by_its_test() {
        use crate::route::{Condition, Test};
        let mut asking = policy(&[RetryOn::RetriableHeaders], 1);
        let condition = |name: &str, test| Condition { name: name.into(), test };
        asking.retriable_headers = Box::new([
            condition("x-retry", Test::Present),
            condition("x-state", Test::Prefix(Box::from(&b"warm"[..]))),
        ]);
        let named = |lines| Said::of(&head(200, lines), Some(&asking), || 0).header;
        assert!(named("X-Retry: \r\n") && named("X-State: warming\r\n"));
        assert!(!named("X-State: cold\r\n") && !named(""));
    }
}
