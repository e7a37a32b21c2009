/** `local-rate-limit`: token buckets of this process, exact over all its workers. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { headerName } from '../forms/header-name.js'
import { name } from '../forms/name.js'
import { words } from '../forms/not-yet.js'
import { onlyOne } from '../forms/only-one.js'

/** From empty to full: what the engine's clock has room for with plenty to spare. */
const maxFillMs = 365 * 24 * 3_600_000

const part = () => z.literal(true).optional()
const text = () => z.string().min(1).max(256).optional()

const parts = [
  'header',
  'cookie',
  'query',
  'clientAddress',
  'identity',
  'path',
  'host',
  'method',
  'pathTemplate',
  'generic',
] as const

const template = z
  .string()
  .max(1024)
  .regex(/^\/(?!.*\*\*.)(?:[^?#{}*/]+|\{[\w-]+\}|\*\*|\/)*$/, {
    error: 'is not a path template; write it as /users/{id}/orders, or /files/** for whatever follows',
  })

const keyPart = z
  .strictObject({
    header: headerName.optional().meta({ description: 'Value of this header' }),
    cookie: text().meta({ description: 'Value of this cookie' }),
    query: text().meta({ description: 'Value of this query parameter, as written' }),
    clientAddress: part().meta({ description: 'IP address of the client, behind `trustedHops` trusted proxies' }),
    identity: part().meta({
      description:
        'URI of the client’s certificate, such as a SPIFFE ID, as `trustedHops` trusted proxies say in `x-forwarded-client-cert`',
    }),
    path: part().meta({ description: 'Path without the query' }),
    host: part().meta({ description: 'Host without the port' }),
    method: part().meta({ description: 'Method' }),
    pathTemplate: z.array(template).min(1).max(64).optional().meta({
      description:
        'The first of these that the path has the form of: `{id}` is one segment, a last `**` whatever follows',
    }),
    generic: text().meta({ description: 'This text, for every request' }),
  })
  .superRefine(onlyOne(...parts))
  .meta({ title: 'key[]', description: 'One part of a key; exactly one of these.' })

const rate = {
  tokens: z.int().min(1).max(1_000_000_000).meta({ description: 'Requests at once: the bucket when full' }),
  refill: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .meta({ description: 'Tokens that come back in each `every`, evenly spread' }),
  every: duration({ minMs: 1 }).meta({ description: 'See `refill`' }),
}

interface Rate {
  tokens: number
  refill: number
  every: number
}

function fillsInTime({ tokens, refill, every }: Rate, context: z.core.$RefinementCtx) {
  if ((tokens / refill) * every <= maxFillMs) return
  context.addIssue({ code: 'custom', message: 'takes more than a year to fill: raise refill', path: ['refill'] })
}

const ownBucket = z
  .strictObject({
    match: z.array(z.string().max(256)).min(1).max(8).meta({ description: 'A value for each part of `key`' }),
    ...rate,
  })
  .superRefine(fillsInTime)
  .meta({ title: 'keys[]' })

const bucket = z
  .strictObject({
    name: name().meta({ description: 'Unique among the buckets of the listener, route or cluster' }),
    key: z.array(keyPart).max(8).prefault([]).meta({
      description: 'What requests are told apart by; empty: one bucket for all. Without a part of it: not limited',
    }),
    ...rate,
    maxKeys: z.int().min(0).max(4_000_000).default(10_000).meta({
      description:
        'Keys limited at the same time; 32 bytes each, 48 where `fair`. Beyond it the fullest buckets are forgotten first. 0: only those of `keys` are limited',
    }),
    fair: z.boolean().default(false).meta({
      description:
        'The tokens are those of all keys together, and shared by the keys that ask: who asks for more than its share leaves the others theirs, and what some do not use is for the others',
    }),
    keys: z.array(ownBucket).max(1024).prefault([]).meta({ description: 'Keys that have a bucket of their own' }),
    warmUp: z
      .strictObject({
        over: duration({ minMs: 1, maxMs: 3_600_000 }).meta({ description: 'From cold to full speed' }),
        coldFactor: z
          .int()
          .min(2)
          .max(100)
          .default(3)
          .meta({ description: 'How many times slower tokens come to a cold bucket' }),
      })
      .nullable()
      .default(null)
      .meta({ title: 'warmUp', description: 'At first and after a rest tokens come slowly. Only without `key`' }),
    maxWait: duration({ minMs: 1, maxMs: 3_600_000 }).nullable().default(null).meta({
      description:
        'A request whose token is still to come waits for it, at most so long: with `tokens: 1` they go one by one, evenly spaced. Absent: it is refused',
    }),
  })
  .superRefine(fillsInTime)
  .superRefine(checkShape)
  .meta({ title: 'buckets[]' })

interface Shape {
  key: readonly { clientAddress?: true | undefined; generic?: string | undefined }[]
  keys: readonly { match: readonly string[] }[]
  maxKeys: number
  fair: boolean
  warmUp: object | null
  maxWait: number | null
}

/** What does not go together, and keys that no request can have. */
function checkShape({ key, keys, maxKeys, fair, warmUp, maxWait }: Shape, context: z.core.$RefinementCtx) {
  const wrong = (message: string, ...path: (string | number)[]) => {
    context.addIssue({ code: 'custom', message, path })
  }
  if (fair && key.length === 0) wrong('needs a `key`: what the tokens are shared by', 'fair')
  if (fair && maxKeys === 0) wrong('leaves nobody to share with where `maxKeys` is 0', 'fair')
  if (fair && maxWait !== null) wrong('does not go with `fair`', 'maxWait')
  if (warmUp !== null && key.length > 0) wrong('does not go with `key`', 'warmUp')
  if (warmUp !== null && maxWait !== null) wrong('does not go with `warmUp`', 'maxWait')
  if (maxKeys === 0 && keys.length === 0) wrong('limits nobody without `keys`', 'maxKeys')
  const seen = new Set<string>()
  keys.forEach(({ match }, place) => {
    const text = JSON.stringify(match)
    if (match.length !== key.length) {
      wrong(`must have a value for each part of \`key\`: ${key.length}`, 'keys', place, 'match')
    } else if (seen.has(text)) wrong('is written twice', 'keys', place, 'match')
    seen.add(text)
    key.forEach(({ clientAddress, generic }, at) => {
      const value = match[at]
      if (value === undefined) return
      if (clientAddress && isIP(value) === 0) wrong('is not an IP address', 'keys', place, 'match', at)
      if (generic !== undefined && value !== generic) wrong('is not the `generic` text', 'keys', place, 'match', at)
    })
  })
}

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
