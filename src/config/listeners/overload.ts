/** `listeners[].overload`: under which pressure requests are shed, and which of them first. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { headerName } from '../forms/header-name.js'
import { percentage } from '../forms/percentage.js'
import { size } from '../forms/size.js'

/** What the engine keeps counts for. */
const mostClasses = 8

const memory = z
  .strictObject({
    limit: size({ min: 1024 * 1024, max: 4096 * 2 ** 30 })
      .nullable()
      .default(null)
      .meta({
        description: 'Memory that the process may hold; absent: what its cgroup, else the machine, has',
      }),
    shedAt: percentage({ min: 1, max: 99 }).prefault('92%').meta({
      description: 'Share of it from which on requests are shed, the more the less is left; at the limit all',
    }),
  })
  .meta({ title: 'memory' })

const criticality = z
  .strictObject({
    header: headerName.meta({
      description: 'Header that says how important a request is. Whoever may send it is believed',
    }),
    order: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(mostClasses)
      .refine((order) => new Set(order).size === order.length, { error: 'names a class twice' })
      .prefault(['critical', 'default', 'sheddable'])
      .meta({
        description:
          'Its values, the most important first; the last go first. What is absent or unknown is `default`, or without such a class the last',
      }),
  })
  .meta({ title: 'criticality' })

export const overload = z
  .strictObject({
    memory: memory.nullable().default(null).meta({ description: 'Absent: memory is not looked at' }),
    eventLoopLag: z
      .strictObject({
        shedAt: duration({ minMs: 1, maxMs: 60_000 }).meta({
          description: 'Lag at which a worker is kept: so many requests are shed that it does not lag more',
        }),
      })
      .nullable()
      .default(null)
      .meta({ title: 'eventLoopLag', description: 'Absent: lag is not looked at' }),
    cpu: z
      .strictObject({
        shedAt: percentage({ min: 1, max: 99 }).meta({
          description: 'Share of the processors (of one for each worker, of the cgroup’s) at which the process is kept',
        }),
      })
      .nullable()
      .default(null)
      .meta({ title: 'cpu', description: 'Absent: CPU is not looked at' }),
    criticality: criticality
      .nullable()
      .default(null)
      .meta({ description: 'Absent: all requests are equally important' }),
  })
  .superRefine(({ memory, eventLoopLag, cpu }, context) => {
    if (memory !== null || eventLoopLag !== null || cpu !== null) return
    const message = 'must look at something: `memory`, `eventLoopLag` or `cpu`'
    context.addIssue({ code: 'custom', message })
  })
  .meta({ title: 'overload' })
