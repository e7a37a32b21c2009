/** `clusters[].adaptiveConcurrency` → the engine's. */
import type { ResolvedConfig } from '../../config/config.js'
import type { AdaptiveConcurrency } from '../../native/snapshot.js'

type Resolved = NonNullable<ResolvedConfig['clusters'][number]['adaptiveConcurrency']>

export function compileAdaptiveConcurrency(adaptive: Resolved): AdaptiveConcurrency {
  return {
    minLimit: adaptive.minLimit,
    maxLimit: adaptive.maxLimit,
    percentile: adaptive.percentile,
    intervalMs: adaptive.interval,
    minRttIntervalMs: adaptive.minRttInterval,
    minRttJitterPercent: adaptive.minRttJitter,
    minRttRequests: adaptive.minRttRequests,
    bufferPercent: adaptive.buffer,
  } satisfies AdaptiveConcurrency
}
