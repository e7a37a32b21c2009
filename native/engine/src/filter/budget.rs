//! `budget`: believes what the hop before says of the request's time and retries, if a key that both have signed it.
//!
//! The line is always taken off: what goes on is this hop's own (see [`crate::upstream::allowance`]). One that is not to
//! be believed counts as none, whoever sent it: a client cannot buy itself time or retries, nor take them from others.

use std::fs;
use std::sync::Arc;

use super::chain::FilterBook;
use super::{Filter, Request, Response, Verdict};
use crate::snapshot::Budget as Settings;
use crate::telemetry::record::Mark;
use crate::upstream::allowance::{Allowance, Ignored, Issuing, LINE, Signer};

/// A shorter key could be guessed.
const MIN_KEY: usize = 16;

/// The filter.
pub(super) struct Budget {
    retries: u32,
    signer: Arc<Signer>,
}

impl Budget {
    pub(super) fn new(settings: &Settings, book: &mut FilterBook) -> Result<Self, String> {
        let path = &settings.key_file;
        let text = fs::read_to_string(path).map_err(|error| format!("the keys in {path} cannot be read: {error}"))?;
        let keys: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if keys.is_empty() {
            return Err(format!("{path} holds no key: write one a line, such as `openssl rand -hex 32` makes"));
        }
        if let Some(place) = keys.iter().position(|key| key.len() < MIN_KEY) {
            return Err(format!("key {} in {path} is shorter than {MIN_KEY} characters", place + 1));
        }
        let issuing = book.keep(format!("budget {path}"), Issuing::default);
        Ok(Self { retries: settings.retries, signer: Arc::new(Signer::with(&keys, issuing)) })
    }

    fn of(&self, request: &mut Request<'_>) -> Allowance {
        let first = || Allowance::first(self.retries, &self.signer);
        let mut lines = request.head.section().iter().filter(|(name, _)| name.eq_ignore_ascii_case(LINE));
        let taken = match (lines.next(), lines.next()) {
            (None, _) => return first(),
            (Some((_, line)), None) => self.signer.take(line, weft_rt::unix_micros() / 1_000),
            // No hop writes two.
            (Some(_), Some(_)) => Err(Ignored::Forged),
        };
        drop(lines);
        request.head.remove(LINE);
        let (mark, allowance) = match taken {
            Ok(token) => (Mark::BudgetHonoured, Allowance::granted(&token, request.facts.now, &self.signer)),
            Err(Ignored::Forged) => (Mark::BudgetForged, first()),
            Err(Ignored::Replayed) => (Mark::BudgetReplayed, first()),
            Err(Ignored::Expired) => (Mark::BudgetExpired, first()),
        };
        request.mark = Some(mark);
        allowance
    }
}

impl Filter for Budget {
    fn request(&self, request: &mut Request<'_>) -> Verdict {
        let allowance = self.of(request);
        request.allowance = Some(Box::new(allowance));
        Verdict::Continue
    }

    fn response(&self, response: &mut Response<'_>) {
        // Of a service, or of the hop behind: neither is what the caller is told.
        response.head.remove(LINE);
        if let Some(used) = response.facts.retries_told {
            let mut digits = itoa::Buffer::new();
            response.head.append(LINE, ["used=", digits.format(used)].concat().as_bytes());
        }
    }
}
