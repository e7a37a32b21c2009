/** `clusters[].circuitBreaker` → the engine's bounds, 0 is none, and what opens the breaker of an endpoint. */
import type { ResolvedConfig } from '../../config/config.js'
import type { CircuitBreaker, Trip } from '../../native/snapshot.js'

type Breaker = NonNullable<ResolvedConfig['clusters'][number]['circuitBreaker']>

export function compileCircuitBreaker(breaker: Breaker): CircuitBreaker {
  return {
    maxConnections: breaker.maxConnections ?? 0,
    maxPending: breaker.maxPending,
    maxRequests: breaker.maxRequests ?? 0,
    maxRetries: breaker.maxRetries,
    trip: breaker.trip === null ? null : compileTrip(breaker.trip),
  } satisfies CircuitBreaker
}

function compileTrip({
  consecutiveFailures,
  successRate,
  slowCalls,
  when,
  ...trip
}: NonNullable<Breaker['trip']>): Trip {
  return {
    consecutiveFailures,
    successRate:
      successRate === null
        ? null
        : {
            belowPercent: successRate.below,
            windowMs: successRate.window,
            minRequests: successRate.minRequests,
          },
    slowCalls:
      slowCalls === null
        ? null
        : {
            overMs: slowCalls.over,
            abovePercent: slowCalls.above,
            windowMs: slowCalls.window,
            minRequests: slowCalls.minRequests,
          },
    when: when === null ? null : { condition: when.condition, windowMs: when.window, overMs: when.over },
    openMs: trip.open,
    maxOpenMs: trip.maxOpen,
    jitterPercent: trip.openJitter,
  } satisfies Trip
}
