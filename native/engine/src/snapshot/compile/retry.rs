//! Retry policies.

use std::time::Duration;

use super::bound;
use crate::snapshot::{GenerationRetry, Retry};

pub(super) fn retry(dto: &Retry) -> GenerationRetry {
    let Retry {
        retries,
        on,
        status_codes,
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
        per_try_timeout: bound(*per_try_timeout_ms),
        backoff_base: Duration::from_millis((*backoff_base_ms).into()),
        backoff_max: Duration::from_millis((*backoff_max_ms).into()),
        avoid_previous_endpoints: *avoid_previous_endpoints,
        max_body_bytes: *max_body_bytes as usize,
    }
}
