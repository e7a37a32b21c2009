/** `routes[]`: which cluster answers a request that came in at a listener, and how long it may take. */
import * as z from 'zod'
import { duration } from './duration.js'
import { name } from './name.js'
import { notYetKeys } from './not-yet.js'
import { retry } from './retry.js'

const forward = z
  .strictObject({
    cluster: name().meta({ description: 'Name of a cluster' }),
    weight: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1)
      .meta({ description: 'Share of the requests; one entry takes all' }),
    ...notYetKeys('subset'),
  })
  .meta({ title: 'forward[]' })

export const route = z
  .strictObject({
    name: name().meta({ description: 'Unique name' }),
    listeners: z
      .array(name())
      .min(1)
      .nullable()
      .default(null)
      .meta({ description: 'Listeners whose requests it takes; absent: every one' }),
    forward: z.array(forward).length(1).meta({ description: 'Exactly one cluster' }),
    timeout: duration().prefault('15s').meta({
      description:
        'Whole exchange without what streams: from the last byte of the request to the first of the answer, retries included; 0 turns it off',
    }),
    firstByteTimeout: duration().prefault('15s').meta({ description: 'Until the answer begins; 0 turns it off' }),
    idleTimeout: duration().prefault('5m').meta({ description: 'Without a byte in either direction; 0 turns it off' }),
    retry: retry.nullable().default(null).meta({ description: 'Absent: an attempt that failed is not repeated' }),
    ...notYetKeys('hosts', 'matches', 'sni', 'when', 'lane', 'sticky', 'requestHeaders', 'responseHeaders'),
    ...notYetKeys('rewrite', 'redirect', 'respond', 'fallback', 'mirror', 'fault', 'filters', 'grpc'),
  })
  .meta({
    title: 'routes[]',
    description: 'From listeners to a cluster. The first route of a listener takes the request.',
  })
