/**
 * The whole configuration, noun by noun. It is the only declaration: the TypeScript types, validation, defaults, the
 * JSON Schema and the reference page all come from it.
 */
import * as z from 'zod'
import { admin } from './admin.js'
import { cluster } from './clusters/cluster.js'
import { drain } from './drain.js'
import { filterPool } from './filters/pool.js'
import { notYetKeys } from './forms/not-yet.js'
import { listener } from './listeners/listener.js'
import { node } from './node.js'
import { records } from './records.js'
import { route } from './routes/route.js'
import { tracing } from './tracing.js'

export const config = z
  .strictObject({
    include: z.array(z.string().min(1)).prefault([]).meta({
      description:
        'Further files, relative to this one; `*` and `?` stand for characters of a name. Their lists are appended; a path inside of them is relative to this file',
    }),
    node: node.prefault({}),
    admin: admin.nullable().default(null).meta({ description: 'Absent: no admin server' }),
    workers: z.int().min(1).max(256).nullable().default(null).meta({
      description: 'Threads that carry traffic. Absent: 1; for `startProxy`, the own loop of its caller',
    }),
    drain: drain.prefault({}),
    filterPool: filterPool.prefault({}),
    records: records.prefault({}),
    listeners: z.array(listener).min(1).meta({ description: 'The doors; at least one' }),
    routes: z
      .array(route)
      .prefault([])
      .meta({ description: 'What becomes of requests; the most specific one takes a request' }),
    clusters: z.array(cluster).prefault([]).meta({ description: 'Who answers' }),
    tracing: tracing.nullable().default(null).meta({ description: 'Absent: trace context passes untouched' }),
    ...notYetKeys('secrets', 'discovery'),
  })
  .meta({ title: 'Weft configuration' })

/** What a person writes. */
export type ProxyConfig = z.input<typeof config>

/** The same with every default filled in; durations are milliseconds, sizes are bytes. */
export type ResolvedConfig = z.output<typeof config>
