/** A filter in TypeScript that its module names. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { words } from '../forms/not-yet.js'
import { size } from '../forms/size.js'
import { module } from '../listeners/module.js'

export const script = z
  .strictObject({
    type: z.literal('script').optional(),
    module: module('defineFilter', 'must name a file; a filter has either a `type` or a `module`'),
    options: z.unknown().optional().meta({ form: 'any', description: 'For the filter; checked with its own schema' }),
    onFailure: words(['closed', 'open'], []).prefault('closed').meta({
      description: 'When it throws, answers nonsense or takes too long: `closed` is a 500, `open` goes on without it',
    }),
    maxBodyBytes: size({ min: 0, max: 0xffff_ffff }).optional().meta({
      description:
        'Of a body that is gathered for it; more is a 413 in a request, and in an answer `onFailure` decides. Absent: what the filter says, else 1 MiB',
    }),
    runIn: words(['place', 'pool'], []).prefault('place').meta({
      description:
        '`place`: on the loop that serves the request, at once. `pool`: in a thread of `filterPool`, where it may wait, and a crash or an endless loop is its own alone',
    }),
    timeBudget: duration({ minMs: 1, maxMs: 600_000 }).nullable().default(null).meta({
      description: 'How long one call in the pool may take; one that does not end by then has failed. Absent: 1s',
    }),
  })
  .superRefine(({ runIn, timeBudget }, context) => {
    if (timeBudget === null || runIn === 'pool') return
    const message = 'only `runIn: pool` has one: nothing can end a filter on the loop that serves the request'
    context.addIssue({ code: 'custom', message, path: ['timeBudget'] })
  })
  .meta({ title: 'script', description: 'A filter in TypeScript.' })
