/** `clusters[].retryBudget`: how many retries a cluster may have under way, so that they never become a storm. */
import * as z from 'zod'

export const retryBudget = z
  .strictObject({
    percent: z
      .int()
      .min(0)
      .max(100)
      .default(20)
      .meta({ description: 'Retries under way per hundred requests that are in their first attempt' }),
    minConcurrency: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(3)
      .meta({ description: 'So many retries may always be under way' }),
  })
  .meta({ title: 'retryBudget', description: 'It and `circuitBreaker.maxRetries` both hold: the smaller one rules.' })
