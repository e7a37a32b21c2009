/** `routes[].fault`: what goes wrong with a route's requests on purpose, for a while. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { percent } from '../forms/percentage.js'

const share = () => percent().prefault(100).meta({ description: 'Of the requests, each kind of fault for itself' })

const delay = z
  .strictObject({
    fixed: duration({ minMs: 1 }).meta({ description: 'How long a request waits; part of the route’s `timeout`' }),
    percent: share(),
  })
  .meta({ title: 'delay' })

const abort = z
  .strictObject({
    status: z.int().min(200).max(599).meta({ description: 'Answered in the place of the service, after the delay' }),
    percent: share(),
  })
  .meta({ title: 'abort' })

const throughput = z
  .strictObject({
    bytesPerSecond: z.int().min(1).max(0xffff_ffff).meta({ description: 'Of the answer’s body' }),
    percent: share(),
  })
  .meta({ title: 'throughput' })

export const fault = z
  .strictObject({
    delay: delay.nullable().default(null),
    abort: abort.nullable().default(null),
    throughput: throughput.nullable().default(null),
    ttl: duration().prefault(0).meta({
      description:
        'The fault ends by itself so long after the configuration that first had it was applied; a reload that leaves it as it is does not prolong it, a new start of the process does. 0: it stays for as long as it is configured',
    }),
  })
  .superRefine(({ delay, abort, throughput }, context) => {
    if (delay !== null || abort !== null || throughput !== null) return
    context.addIssue({ code: 'custom', message: 'must have `delay`, `abort` or `throughput`' })
  })
  .meta({
    title: 'fault',
    description:
      'Fault injection, before the route’s filters. Shares are exact: they are counted, over all workers, not left to chance.',
  })

export type ResolvedFault = z.output<typeof fault>
