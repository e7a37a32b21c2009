//! `local-rate-limit`: a request goes on when each of its buckets has a token for it.
//!
//! Buckets are the process's: all workers together grant what one alone would. A bucket whose key the request lacks
//! does not count it (as an Envoy descriptor that does not match). A request that one bucket refuses takes nothing
//! from those before it. In shadow mode it is counted and marked in its record, and goes on.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::bucket::{Bucket, Rate, Taken};
use super::chain::FilterBook;
use super::{Filter, Request, Response, Verdict, key};
use crate::error::{Error, Kind};
use crate::record::Mark;
use crate::snapshot::{KeyPart, LocalRateLimit as Settings, RateBucket};

/// The filter.
pub(super) struct LocalRateLimit {
    buckets: Box<[Keyed]>,
    refusal: Error,
    headers: bool,
    shadow: bool,
}

struct Keyed {
    name: Box<str>,
    key: Box<[KeyPart]>,
    bucket: Arc<Bucket>,
}

/// What the answer tells of the bucket with the fewest tokens.
struct Told {
    tokens: u32,
    left: u32,
    reset: Duration,
    refused: bool,
}

impl LocalRateLimit {
    pub(super) fn new(settings: &Settings, owner: &str, book: &mut FilterBook) -> Self {
        let refusal = Error::new(Kind::RateLimited(settings.status), "the rate limit of this service is reached");
        let buckets = settings.buckets.iter().map(|bucket| Keyed {
            name: bucket.name.as_str().into(),
            key: bucket.key.as_slice().into(),
            bucket: book.keep(format!("local-rate-limit {owner} {bucket:?}"), || make(bucket)),
        });
        Self { buckets: buckets.collect(), refusal, headers: settings.headers, shadow: settings.shadow }
    }
}

fn make(settings: &RateBucket) -> Bucket {
    let rate = Rate::new(settings.tokens, settings.refill, Duration::from_millis(settings.every_ms.into()));
    if settings.key.is_empty() { Bucket::shared(rate) } else { Bucket::keyed(rate, settings.max_keys) }
}

impl Filter for LocalRateLimit {
    fn request(&self, request: &mut Request<'_>) -> Verdict {
        let mut granted: SmallVec<[(&Bucket, u64); 4]> = SmallVec::new();
        let mut told: Option<Told> = None;
        for Keyed { name, key, bucket } in &self.buckets {
            let Some(key) = key::of(key, request.head, request.facts.client) else { continue };
            let tokens = bucket.tokens();
            match bucket.take(key, request.facts.now) {
                Taken::Granted { left, full_in } => {
                    granted.push((bucket, key));
                    if self.headers && told.as_ref().is_none_or(|told| left < told.left) {
                        told = Some(Told { tokens, left, reset: full_in, refused: false });
                    }
                }
                Taken::Refused { wait } => {
                    granted.iter().for_each(|(bucket, key)| bucket.give_back(*key));
                    if let Some(outside) = &mut request.outside {
                        let shadow = if self.shadow { " (shadow mode)" } else { "" };
                        outside.note(&format!("the bucket `{name}` was empty{shadow}"));
                    }
                    if self.shadow {
                        request.mark = Some(Mark::RateLimitShadowed);
                        return Verdict::Continue;
                    }
                    request.mark = Some(Mark::RateLimited);
                    *request.state = Some(Box::new(Told { tokens, left: 0, reset: wait, refused: true }));
                    return Verdict::Fail(self.refusal);
                }
            }
        }
        *request.state = told.map(|told| Box::new(told) as Box<dyn std::any::Any>);
        Verdict::Continue
    }

    fn response(&self, response: &mut Response<'_>) {
        let Some(told) = response.state.as_ref().and_then(|state| state.downcast_ref::<Told>()) else { return };
        // Rounded up: who waits that long is not refused again.
        let seconds = told.reset.as_nanos().div_ceil(1_000_000_000) as u64;
        let mut digits = itoa::Buffer::new();
        let mut tell = |name: &str, number: u64| {
            response.head.remove(name.as_bytes());
            response.head.append(name.as_bytes(), digits.format(number).as_bytes());
        };
        if told.refused {
            tell("retry-after", seconds);
        }
        if self.headers {
            tell("x-ratelimit-limit", told.tokens.into());
            tell("x-ratelimit-remaining", told.left.into());
            tell("x-ratelimit-reset", seconds);
        }
        if told.refused {
            response.head.append(b"x-envoy-ratelimited", b"true");
        }
    }
}
