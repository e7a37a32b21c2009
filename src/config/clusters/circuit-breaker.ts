/** `clusters[].circuitBreaker`: bounds on what a cluster has under way, exact over all workers, and each endpoint's breaker. */
import * as z from 'zod'
import { trip } from './trip.js'

const bound = (min: number) => z.int().min(min).max(1_000_000).nullable().default(null)

/** Who may wait for a connection, where nothing is said. */
const defaultMaxPending = 1024

export const circuitBreaker = z
  .strictObject({
    maxConnections: bound(1).meta({
      description: 'Open connections, idle ones included; at the bound requests wait for one. Absent: no bound',
    }),
    maxPending: bound(0).meta({
      description: `Requests that wait for a connection; further ones are answered 503. Absent: ${defaultMaxPending}`,
    }),
    maxRequests: bound(1).meta({ description: 'Requests under way; further ones are answered 503. Absent: no bound' }),
    maxRetries: bound(0).meta({ description: 'Retries under way. Absent: no bound but the one of `retryBudget`' }),
    trip: trip.nullable().default(null).meta({ description: 'What opens the breaker of an endpoint; absent: nothing' }),
  })
  .superRefine(({ maxConnections, maxPending }, context) => {
    if (maxPending !== null && maxConnections === null) {
      const message = 'has no effect without `maxConnections`: nothing waits for a connection'
      context.addIssue({ code: 'custom', path: ['maxPending'], message })
    }
  })
  .transform((breaker) => ({ ...breaker, maxPending: breaker.maxPending ?? defaultMaxPending }))
  .meta({ title: 'circuitBreaker' })
