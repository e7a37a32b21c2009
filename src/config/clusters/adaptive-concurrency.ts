/** `clusters[].adaptiveConcurrency`: a bound on the requests of a cluster that follows their latency. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { percentage } from '../forms/percentage.js'

const bound = () => z.int().min(1).max(1_000_000)

export const adaptiveConcurrency = z
  .strictObject({
    minLimit: bound()
      .default(3)
      .meta({ description: 'The bound is never lower, and as low while the shortest latency is measured' }),
    maxLimit: bound().default(1000).meta({ description: 'Nor higher' }),
    percentile: z.int().min(1).max(99).default(50).meta({ description: 'Of the latencies, to the answer’s head' }),
    interval: duration({ minMs: 10 }).prefault('100ms').meta({ description: 'From one bound to the next' }),
    minRttInterval: duration({ minMs: 1000 })
      .prefault('60s')
      .meta({ description: 'From one measurement of the shortest latency to the next' }),
    minRttJitter: percentage().prefault('15%').meta({ description: 'Up to so much longer, by chance' }),
    minRttRequests: z.int().min(1).max(100_000).default(50).meta({ description: 'Requests that a measurement takes' }),
    buffer: percentage({ max: 1000 }).prefault('25%').meta({ description: 'More than the shortest latency, as noise' }),
  })
  .superRefine(({ minLimit, maxLimit }, context) => {
    if (minLimit <= maxLimit) return
    context.addIssue({ code: 'custom', message: 'is less than `minLimit`', path: ['maxLimit'] })
  })
  .meta({ title: 'adaptiveConcurrency' })
