/** `clusters[].circuitBreaker.trip`: the breaker of a single endpoint opens, and one request tries when it may close. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { expression } from '../forms/expression.js'
import { percentage } from '../forms/percentage.js'

const window = duration({ minMs: 100 })
  .prefault('10s')
  .meta({ description: 'The last so long; it moves by a tenth of its length' })

const minRequests = z
  .int()
  .min(1)
  .max(1_000_000_000)
  .default(5)
  .meta({ description: 'Fewer requests within `window` decide nothing' })

const successRate = z
  .strictObject({
    below: percentage({ min: 1 })
      .prefault('80%')
      .meta({ description: 'Fewer than this succeed; 429 counts as a failure' }),
    window,
    minRequests,
  })
  .meta({ title: 'trip.successRate' })

const slowCalls = z
  .strictObject({
    over: duration({ minMs: 1 }).meta({ description: 'What is slow: longer than this to the first byte' }),
    above: percentage({ max: 99 }).prefault('50%').meta({ description: 'More than this are slow' }),
    window,
    minRequests,
  })
  .meta({ title: 'trip.slowCalls' })

const condition = z
  .strictObject({
    condition: expression().meta({
      description:
        'Over consecutiveFailures and requests, ints, successRate and slowRate, doubles in percent: `successRate < 80 && requests >= 20`',
    }),
    window,
    over: duration({ minMs: 1 })
      .prefault('1s')
      .meta({ description: 'What counts in slowRate: longer than this to the first byte' }),
  })
  .meta({ title: 'trip.when' })

const when = z.union([expression().transform((condition) => ({ condition, window: 10_000, over: 1_000 })), condition])

export const trip = z
  .strictObject({
    consecutiveFailures: z
      .int()
      .min(1)
      .max(1_000_000)
      .nullable()
      .default(7)
      .meta({ description: 'Failures in a row: 5xx, or no answer; null: never' }),
    successRate: successRate.nullable().default(null).meta({ description: 'Too few succeed; absent: never' }),
    slowCalls: slowCalls.nullable().default(null).meta({ description: 'Too many are slow; absent: never' }),
    open: duration({ minMs: 10 })
      .prefault('1s')
      .meta({ description: 'How long no request goes there, until one tries; doubled each time that one fails' }),
    maxOpen: duration({ minMs: 10 })
      .prefault('60s')
      .meta({ description: 'The longest, random addition apart; never less than `open`' }),
    openJitter: percentage()
      .prefault('50%')
      .meta({ description: 'Largest random addition, so that proxies do not all try at once' }),
    when: when.nullable().default(null).meta({
      description: 'A condition in CEL, or `{ condition, window, over }`; absent: never',
      form: 'condition',
    }),
  })
  .meta({ title: 'circuitBreaker.trip' })
