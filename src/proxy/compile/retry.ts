/** `routes[].retry` → the engine's retry policy. */
import type { ResolvedConfig } from '../../config/config.js'
import type { Retry } from '../../native/snapshot.js'
import { compileField } from './route-match.js'

type Policy = NonNullable<ResolvedConfig['routes'][number]['retry']>

export function compileRetry(policy: Policy): Retry {
  return {
    retries: policy.retries,
    on: policy.on,
    statusCodes: policy.statusCodes,
    retriableHeaders: policy.retriableHeaders.map(compileField),
    retryAfterMaxMs: policy.retryAfter?.max ?? null,
    perTryTimeoutMs: policy.perTryTimeout,
    backoffBaseMs: policy.backoff.base,
    backoffMaxMs: policy.backoff.max,
    avoidPreviousEndpoints: policy.avoidPreviousEndpoints,
    maxBodyBytes: policy.maxBodyBytes,
  } satisfies Retry
}
