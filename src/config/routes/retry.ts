/** `routes[].retry`: which outcomes of an attempt are worth another one, how many, and how soon. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { words } from '../forms/not-yet.js'
import { size } from '../forms/size.js'
import { header } from './match.js'

const outcomes = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
] as const

/** Of protocols that are not there yet. */
const laterOutcomes = ['http3-post-connect-failure']

/** Words that mean what stands elsewhere. */
const meanings = [
  ['retriable-status-codes', 'statusCodes'],
  ['retriable-headers', 'retriableHeaders'],
] as const

/** The longest wait, as a multiple of `base`, where none is given. */
const maxOfBase = 10

const retryAfter = z
  .strictObject({
    max: duration({ minMs: 1 }).prefault('300s').meta({
      description: 'The longest wait that an answer may ask for; a longer one is not heeded',
    }),
  })
  .meta({
    title: 'retryAfter',
    description:
      'An answer that is retried and says `retry-after`, or else `x-ratelimit-reset`, gets the wait that it asks for and up to half of it more, in place of the back-off.',
  })

const backoff = z
  .strictObject({
    base: duration().prefault('25ms').meta({
      description:
        'The wait before the first retry is random below this, and twice as long in the mean before the next',
    }),
    max: duration().nullable().default(null).meta({ description: 'No wait is longer; absent: ten times `base`' }),
  })
  .superRefine(({ base, max }, context) => {
    if (max !== null && max < base) {
      context.addIssue({ code: 'custom', path: ['max'], message: 'must not be shorter than `base`' })
    }
  })
  .transform(({ base, max }) => ({ base, max: max ?? base * maxOfBase }))
  .meta({ title: 'backoff' })

export const retry = z
  .strictObject({
    retries: z.int().min(0).max(10).default(1).meta({ description: 'Attempts after the first one' }),
    on: z
      .array(words(outcomes, laterOutcomes))
      .min(1)
      .prefault(['connect-failure', 'reset-before-request', 'refused-stream'])
      .meta({
        description:
          'What is retried, in the words of Envoy; the default is safe for every request, for nothing of it was sent. `refused-stream` cannot happen on HTTP/1; the words of gRPC are about a `grpc-status` in the head of an answer',
      }),
    statusCodes: z
      .array(z.int().min(400).max(599))
      .default([])
      .meta({ description: 'Statuses that `retriable-status-codes` means' }),
    retriableHeaders: z
      .array(header)
      .max(32)
      .prefault([])
      .meta({ description: 'Lines of an answer that `retriable-headers` means: one that passes is enough' }),
    perTryTimeout: duration().prefault(0).meta({
      description: 'Longest time of one attempt, without a body that is still on its way; 0: no bound of its own',
    }),
    backoff: backoff.prefault({}),
    avoidPreviousEndpoints: z
      .boolean()
      .default(true)
      .meta({ description: 'A retry goes to an endpoint that was not tried, as long as there is one' }),
    maxBodyBytes: size({ min: 0, max: 16_777_216 }).prefault(65_536).meta({
      description: 'A request body up to this is kept to be sent again; with a longer one nothing is retried',
    }),
    retryAfter: retryAfter.nullable().default(null).meta({ description: 'Absent: what an answer asks is not read' }),
  })
  .superRefine((policy, context) => {
    for (const [word, key] of meanings) {
      const named = policy.on.includes(word)
      if (named === policy[key].length > 0) continue
      const message = named ? `must name what \`${word}\` means` : `has no effect unless \`on\` holds \`${word}\``
      context.addIssue({ code: 'custom', path: [key], message })
    }
  })
  .meta({ title: 'retry' })
