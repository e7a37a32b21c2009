/** `routes[].retry`: which outcomes of an attempt are worth another one, how many, and how soon. */
import * as z from 'zod'
import { duration } from './duration.js'
import { notYetKeys, words } from './not-yet.js'
import { size } from './size.js'

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
] as const

/** Of protocols, and of settings, that are not there yet. */
const laterOutcomes = [
  ...['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'],
  ...['http3-post-connect-failure', 'retriable-headers'],
]

/** The longest wait, as a multiple of `base`, where none is given. */
const maxOfBase = 10

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
          'What is retried, in the words of Envoy; the default is safe for every request, for nothing of it was sent. `refused-stream` cannot happen on HTTP/1',
      }),
    statusCodes: z
      .array(z.int().min(400).max(599))
      .default([])
      .meta({ description: 'Statuses that `retriable-status-codes` means' }),
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
    ...notYetKeys('retryAfter'),
  })
  .superRefine(({ on, statusCodes }, context) => {
    const named = on.includes('retriable-status-codes')
    if (named && statusCodes.length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['statusCodes'],
        message: 'must name what `retriable-status-codes` means',
      })
    }
    if (!named && statusCodes.length > 0) {
      const message = 'has no effect unless `on` holds `retriable-status-codes`'
      context.addIssue({ code: 'custom', path: ['statusCodes'], message })
    }
  })
  .meta({ title: 'retry' })
