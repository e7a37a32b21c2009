/** `routes[].retry` → the engine's retry policy. */
import type { ResolvedConfig } from '../../config/config.js'
import type { Retry } from '../../native/snapshot.js'

type Policy = NonNullable<ResolvedConfig['routes'][number]['retry']>

export function compileRetry(policy: Policy): Retry {
  return {
    retries: policy.retries,
    on: policy.on,
    statusCodes: policy.statusCodes,
    perTryTimeoutMs: policy.perTryTimeout,
    backoffBaseMs: policy.backoff.base,
    backoffMaxMs: policy.backoff.max,
    avoidPreviousEndpoints: policy.avoidPreviousEndpoints,
    maxBodyBytes: policy.maxBodyBytes,
  } satisfies Retry
}
