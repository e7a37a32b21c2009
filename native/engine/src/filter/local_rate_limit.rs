//! `local-rate-limit`: a request goes on when each of its buckets has a token for it.
//!
//! Buckets are the process's: all workers together grant what one alone would. A bucket whose key the request lacks
//! does not count it (as an Envoy descriptor that does not match). A request that one bucket refuses takes nothing
//! from those before it. One whose token is still to come waits where the bucket says so. In shadow mode a request that
//! would be refused is counted and marked in its record, and goes on at once.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use foldhash::HashMap;
use smallvec::SmallVec;
use weft_rt::Timer;

use super::bucket::{Bucket, Rate, Taken};
use super::chain::FilterBook;
use super::{Facts, Filter, Request, Response, Verdict, key};
use crate::error::{Error, Kind};
use crate::snapshot::{KeyPart, LocalRateLimit as Settings, RateBucket};
use crate::telemetry::record::Mark;

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
    /// By the hash of their keys.
    fixed: HashMap<u64, Arc<Bucket>>,
    /// Of all other keys; `None`: they are not limited.
    others: Option<Arc<Bucket>>,
}

/// What the answer tells of the bucket with the fewest tokens.
struct Told {
    tokens: u32,
    left: u32,
    reset: Duration,
    refused: bool,
}

/// A request on its way to its turn.
struct Waiting {
    timer: Timer,
    told: Option<Told>,
}

/// What the buckets say to a request that goes on.
struct Granted {
    told: Option<Told>,
    wait: Duration,
}

impl LocalRateLimit {
    pub(super) fn new(settings: &Settings, owner: &str, book: &mut FilterBook) -> Result<Self, String> {
        let refusal = Error::new(Kind::RateLimited(settings.status), "the rate limit of this service is reached");
        let buckets = settings.buckets.iter().map(|bucket| Keyed::new(bucket, owner, book));
        let buckets = buckets.collect::<Result<_, String>>()?;
        Ok(Self { buckets, refusal, headers: settings.headers, shadow: settings.shadow })
    }

    /// Takes a token out of each bucket that counts the request.
    fn decide(&self, request: &mut Request<'_>) -> Result<Granted, Verdict> {
        let mut taken_from: SmallVec<[(&Bucket, u64); 4]> = SmallVec::new();
        let mut granted = Granted { told: None, wait: Duration::ZERO };
        for keyed in &self.buckets {
            let Some((bucket, key)) = keyed.bucket_of(request) else { continue };
            match bucket.take(key, request.facts.now) {
                Taken::Granted { left, full_in, wait } => {
                    taken_from.push((bucket, key));
                    granted.wait = granted.wait.max(wait);
                    if self.headers && granted.told.as_ref().is_none_or(|told| left < told.left) {
                        granted.told = Some(Told { tokens: bucket.tokens(), left, reset: full_in, refused: false });
                    }
                }
                Taken::Refused { wait } => {
                    taken_from.iter().for_each(|(bucket, key)| bucket.give_back(*key));
                    return self.refuse(request, &keyed.name, bucket, wait);
                }
            }
        }
        Ok(granted)
    }

    fn refuse(
        &self,
        request: &mut Request<'_>,
        name: &str,
        bucket: &Bucket,
        wait: Duration,
    ) -> Result<Granted, Verdict> {
        if let Some(outside) = &mut request.outside {
            let shadow = if self.shadow { " (shadow mode)" } else { "" };
            outside.note(&if bucket.is_fair() {
                format!("the request's share of the bucket `{name}` was used up{shadow}")
            } else {
                format!("the bucket `{name}` was empty{shadow}")
            });
        }
        if self.shadow {
            request.mark = Some(Mark::RateLimitShadowed);
            return Ok(Granted { told: None, wait: Duration::ZERO });
        }
        request.mark = Some(Mark::RateLimited);
        *request.state = Some(Box::new(Told { tokens: bucket.tokens(), left: 0, reset: wait, refused: true }));
        Err(Verdict::Fail(self.refusal))
    }
}

impl Keyed {
    fn new(settings: &RateBucket, owner: &str, book: &mut FilterBook) -> Result<Self, String> {
        let name = &settings.name;
        let mut fixed = HashMap::default();
        for known in &settings.keys {
            let hash = key::of_values(&settings.key, &known.values)
                .map_err(|message| format!("keys of the bucket `{name}`: {message}"))?;
            let rate = rate(settings, known.tokens, known.refill, known.every_ms);
            let id = format!("local-rate-limit {owner} {name} {:?} {:?} {rate:?}", settings.key, known.values);
            fixed.insert(hash, book.keep(id, || Bucket::shared(rate)));
        }
        // What other keys have is not changed by those that have buckets of their own.
        let others = RateBucket { keys: Vec::new(), ..settings.clone() };
        let is_for_others = fixed.is_empty() || settings.max_keys > 0;
        let others =
            is_for_others.then(|| book.keep(format!("local-rate-limit {owner} {others:?}"), || make(settings)));
        Ok(Self { name: name.as_str().into(), key: settings.key.as_slice().into(), fixed, others })
    }

    /// The bucket that the request is counted in, with the hash of its key.
    fn bucket_of(&self, request: &Request<'_>) -> Option<(&Bucket, u64)> {
        let Facts { client, trusted_hops, .. } = request.facts;
        let key = key::of(&self.key, request.head, key::From { client, trusted_hops })?;
        let fixed = if self.fixed.is_empty() { None } else { self.fixed.get(&key) };
        fixed.or(self.others.as_ref()).map(|bucket| (&**bucket, key))
    }
}

fn rate(settings: &RateBucket, tokens: u32, refill: u32, every_ms: u32) -> Rate {
    let rate = Rate::new(tokens, refill, Duration::from_millis(every_ms.into()));
    settings.max_wait_ms.map_or(rate, |ms| rate.patient(Duration::from_millis(ms.into())))
}

fn make(settings: &RateBucket) -> Bucket {
    let rate = rate(settings, settings.tokens, settings.refill, settings.every_ms);
    match settings.warm_up {
        Some(warm_up) => {
            Bucket::warming(rate, Duration::from_millis(warm_up.over_ms.into()), warm_up.cold_factor.into())
        }
        None if settings.key.is_empty() => Bucket::shared(rate),
        None if settings.fair => Bucket::fair(rate, settings.max_keys),
        None => Bucket::keyed(rate, settings.max_keys),
    }
}

impl Filter for LocalRateLimit {
    fn poll_request(&self, cx: &mut Context<'_>, request: &mut Request<'_>) -> Poll<Verdict> {
        if request.state.is_none() {
            let granted = match self.decide(request) {
                Ok(granted) => granted,
                Err(verdict) => return Poll::Ready(verdict),
            };
            if granted.wait.is_zero() || self.shadow {
                *request.state = granted.told.map(|told| Box::new(told) as Box<dyn std::any::Any>);
                return Poll::Ready(Verdict::Continue);
            }
            request.mark = Some(Mark::RateLimitPaced);
            let mut timer = Timer::new();
            timer.set(Some(request.facts.now + granted.wait));
            *request.state = Some(Box::new(Waiting { timer, told: granted.told }));
        }
        let told = match request.state.as_mut().and_then(|state| state.downcast_mut::<Waiting>()) {
            Some(waiting) => {
                ready!(waiting.timer.poll_expired(cx));
                waiting.told.take()
            }
            None => None,
        };
        *request.state = told.map(|told| Box::new(told) as Box<dyn std::any::Any>);
        Poll::Ready(Verdict::Continue)
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
