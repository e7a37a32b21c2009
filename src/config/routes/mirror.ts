/** `routes[].mirror`: copies of requests for a cluster whose answers no client sees. */
import * as z from 'zod'
import { destination } from '../clusters/subset.js'
import { duration } from '../forms/duration.js'
import { percent } from '../forms/percentage.js'
import { size } from '../forms/size.js'

const bodySize = () => size({ min: 0, max: 16_777_216 })

const diff = z
  .strictObject({
    ignore: z.array(z.string().min(1).max(256)).max(100).default([]).meta({
      description: 'What may differ: headers by name; fields of JSON by path (`items[].id`) or by name',
    }),
    maxBodyBytes: bodySize()
      .prefault(262_144)
      .meta({ description: 'Of longer bodies nothing but that they are so long is compared' }),
  })
  .meta({
    title: 'diff',
    description:
      'The answers are compared: status, headers, JSON field by field. GET, HEAD and OPTIONS without a body are sent to the route’s own cluster once more, to learn what differs by itself.',
  })

export const mirror = z
  .array(
    z
      .strictObject({
        ...destination,
        percent: percent().prefault(100).meta({ description: 'Of the route’s requests' }),
        timeout: duration({ minMs: 1 }).prefault('15s').meta({ description: 'Longest time of a copy' }),
        maxConcurrent: z.int().min(1).max(10_000).default(100).meta({
          description: 'Copies under way, over all workers; beyond that none is made',
        }),
        maxBodyBytes: bodySize().prefault(65_536).meta({ description: 'Requests with a longer body are not copied' }),
        diff: diff.nullable().default(null),
      })
      .meta({
        title: 'mirror[]',
        description:
          'Fire and forget: a copy never delays a request nor fails it. It goes to the host with `-shadow` behind its name.',
      }),
  )
  .max(8)
  .prefault([])

export type ResolvedMirror = z.output<typeof mirror>[number]
