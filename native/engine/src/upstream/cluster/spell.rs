//! A time for which an endpoint was kept from requests.

use serde::Serialize;
use std::time::Duration;

/// A time for which an endpoint was kept from requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spell {
    /// Its begin, µs since 1970.
    pub since_unix_us: u64,
    /// Its end, planned or real, µs since 1970.
    pub until_unix_us: u64,
    /// Why.
    pub reason: String,
    /// It is over.
    #[serde(skip)]
    pub over: bool,
}

impl Spell {
    /// Begins now.
    pub(super) fn begin(length: Duration, reason: String) -> Self {
        let since_unix_us = weft_rt::unix_micros();
        let length = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        Self { since_unix_us, until_unix_us: since_unix_us.saturating_add(length), reason, over: false }
    }

    /// Ends now, unless it has already.
    pub(super) fn end(&mut self) -> &Self {
        if !self.over {
            self.over = true;
            self.until_unix_us = weft_rt::unix_micros();
        }
        self
    }

    /// Whether it covers a moment.
    pub fn covers(&self, unix_us: u64) -> bool {
        self.since_unix_us <= unix_us && (!self.over || unix_us < self.until_unix_us)
    }

    /// How long it was meant to be, or was.
    pub fn length_ms(&self) -> u64 {
        self.until_unix_us.saturating_sub(self.since_unix_us) / 1000
    }
}
