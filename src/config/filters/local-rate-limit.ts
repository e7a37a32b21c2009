/** `local-rate-limit`: token buckets of this process, exact over all its workers. */
import * as z from 'zod'
import { duration } from '../duration.js'
import { headerName } from '../header-name.js'
import { name } from '../name.js'
import { notYetKeys, words } from '../not-yet.js'
import { onlyOne } from '../only-one.js'

/** From empty to full: what the engine's clock has room for with plenty to spare. */
const maxFillMs = 365 * 24 * 3_600_000

const part = () => z.literal(true).optional()
const text = () => z.string().min(1).max(256).optional()

const keyPart = z
  .strictObject({
    header: headerName.optional().meta({ description: 'Value of this header' }),
    cookie: text().meta({ description: 'Value of this cookie' }),
    query: text().meta({ description: 'Value of this query parameter, as written' }),
    clientAddress: part().meta({ description: 'IP address of the client, behind `trustedHops` trusted proxies' }),
    path: part().meta({ description: 'Path without the query' }),
    host: part().meta({ description: 'Host without the port' }),
    method: part().meta({ description: 'Method' }),
  })
  .superRefine(onlyOne('header', 'cookie', 'query', 'clientAddress', 'path', 'host', 'method'))
  .meta({ title: 'key[]', description: 'One part of a key; exactly one of these.' })

const bucket = z
  .strictObject({
    name: name().meta({ description: 'Unique among the buckets of the listener, route or cluster' }),
    key: z.array(keyPart).max(8).prefault([]).meta({
      description: 'What requests are told apart by; empty: one bucket for all. Without a part of it: not limited',
    }),
    tokens: z.int().min(1).max(1_000_000_000).meta({ description: 'Requests at once: the bucket when full' }),
    refill: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .meta({ description: 'Tokens that come back in each `every`, evenly spread' }),
    every: duration({ minMs: 1 }).meta({ description: 'See `refill`' }),
    maxKeys: z.int().min(1).max(4_000_000).default(10_000).meta({
      description: 'Keys limited at the same time; 32 bytes each. Beyond it the fullest buckets are forgotten first',
    }),
    ...notYetKeys('fair'),
  })
  .superRefine(({ tokens, refill, every }, context) => {
    if ((tokens / refill) * every <= maxFillMs) return
    context.addIssue({ code: 'custom', message: 'takes more than a year to fill: raise refill', path: ['refill'] })
  })
  .meta({ title: 'buckets[]' })

export const localRateLimit = z
  .strictObject({
    type: z.literal('local-rate-limit'),
    buckets: z.array(bucket).min(1).max(32).meta({ description: 'A request goes on when each has a token for it' }),
    status: z.int().min(400).max(599).default(429).meta({ description: 'Status of the answer to all others' }),
    headers: z
      .boolean()
      .default(false)
      .meta({ description: 'Answers carry x-ratelimit-limit, -remaining and -reset of the bucket nearest to empty' }),
    mode: words(['enforce', 'shadow'], [])
      .prefault('enforce')
      .meta({ description: '`shadow`: all others are counted and recorded, and go on' }),
  })
  .meta({
    title: 'local-rate-limit',
    description:
      'Refuses what comes faster than token buckets fill, with `retry-after`. The buckets are the process’s: all workers together grant what one alone would.',
  })
