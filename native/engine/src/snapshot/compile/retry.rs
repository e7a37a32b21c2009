//! Retry policies.

use std::time::Duration;

use super::{Compiler, bound};
use crate::route::Condition;
use crate::snapshot::{GenerationRetry, Retry};

impl Compiler<'_> {
    /// The policy of the route `index`; `None`: it was refused.
    pub(super) fn retry(&mut self, index: usize, dto: &Retry) -> Option<GenerationRetry> {
        let at = format!("routes.{index}.retry");
        let retriable_headers = self.conditions(&at, "retriableHeaders", &dto.retriable_headers)?;
        Some(compiled(dto, retriable_headers))
    }
}

fn compiled(dto: &Retry, retriable_headers: Box<[Condition]>) -> GenerationRetry {
    let Retry {
        retries,
        on,
        status_codes,
        retriable_headers: _,
        retry_after_max_ms,
        per_try_timeout_ms,
        backoff_base_ms,
        backoff_max_ms,
        avoid_previous_endpoints,
        max_body_bytes,
    } = dto;
    GenerationRetry {
        retries: *retries,
        on: on.iter().copied().collect(),
        status_codes: status_codes.clone().into_boxed_slice(),
        retriable_headers,
        retry_after_max: retry_after_max_ms.map(|ms| Duration::from_millis(ms.into())),
        per_try_timeout: bound(*per_try_timeout_ms),
        backoff_base: Duration::from_millis((*backoff_base_ms).into()),
        backoff_max: Duration::from_millis((*backoff_max_ms).into()),
        avoid_previous_endpoints: *avoid_previous_endpoints,
        max_body_bytes: *max_body_bytes as usize,
    }
}
