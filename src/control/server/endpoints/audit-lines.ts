/** `GET /v1/audit`: who changed what, newest first. */
import * as z from 'zod'
import { mayIn } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { wholeNumber } from '../shapes.js'

const query = z.strictObject({ limit: wholeNumber.default(100).meta({ description: 'At most 10000' }) })

const line = z.object({
  time: z.iso.datetime(),
  event: z.enum(['change', 'denied', 'issued']),
  who: z.string(),
  why: z.string(),
  revision: z.int().nullable(),
  what: z.string(),
  before: z.unknown(),
  after: z.unknown(),
})

export const auditLines = endpoint({
  method: 'GET',
  path: '/v1/audit',
  about: 'Who changed what, and what was denied, newest first',
  access: 'administer',
  query,
  result: z.object({ items: z.array(line) }),
  async answer({ audit }, { principal, query: { limit } }) {
    const lines = await audit.newest(Math.min(limit, 10_000))
    // What concerns no namespace is for those who may see all.
    return ok({ items: lines.filter(({ what }) => mayIn(principal, what.split('/')[1] ?? '*')) })
  },
})
