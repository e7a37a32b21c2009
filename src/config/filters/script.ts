/** A filter in TypeScript that its module names. */
import * as z from 'zod'
import { notYetKeys, words } from '../not-yet.js'
import { size } from '../size.js'

export const script = z
  .strictObject({
    type: z.literal('script').optional(),
    module: z
      .custom<string | URL>((value) => (typeof value === 'string' && value !== '') || value instanceof URL, {
        error: 'must name a file; a filter has either a `type` or a `module`',
      })
      .meta({
        type: 'string',
        form: 'path or `file:` URL',
        description: 'ES module whose default export is `defineFilter({ … })`; relative to the configuration',
      }),
    options: z.unknown().optional().meta({ form: 'any', description: 'For the filter; checked with its own schema' }),
    onFailure: words(['closed', 'open'], []).prefault('closed').meta({
      description: 'When it throws or answers nonsense: `closed` is a 500, `open` goes on without it',
    }),
    maxBodyBytes: size({ min: 0, max: 0xffff_ffff }).optional().meta({
      description:
        'Of a body that is gathered for it; more is a 413 in a request, and in an answer `onFailure` decides. Absent: what the filter says, else 1 MiB',
    }),
    ...notYetKeys('runIn', 'timeBudget'),
  })
  .meta({ title: 'script', description: 'A filter in TypeScript, on the loop that serves the request.' })
