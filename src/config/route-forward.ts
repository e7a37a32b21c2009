/** `routes[].forward`: the clusters that share a route's requests, and what keeps a request with one of them. */
import * as z from 'zod'
import { headerName } from './header-name.js'
import { notYetKeys } from './not-yet.js'
import { onlyOne } from './only-one.js'
import { destination } from './subset.js'

export const forward = z
  .array(
    z
      .strictObject({
        ...destination,
        weight: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(1)
          .meta({ description: 'Its share: its weight over the sum of all; leave an entry out to send it nothing' }),
      })
      .meta({ title: 'forward[]' }),
  )
  .min(1)
  .max(64)

const cookieName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, { error: 'is not the name of a cookie' })

const cookie = z.union([
  cookieName,
  z.strictObject({ name: cookieName, ...notYetKeys('ttl') }).transform(({ name }) => name),
])

export const sticky = z
  .strictObject({
    header: headerName.optional(),
    cookie: cookie.optional().meta({ description: 'A name, or `{ name }`', form: 'name' }),
    query: z.string().min(1).max(256).optional().meta({ description: 'A parameter of the query' }),
    clientAddress: z.literal(true).optional(),
  })
  .superRefine(onlyOne('header', 'cookie', 'query', 'clientAddress'))
  .meta({
    title: 'sticky',
    description:
      'Requests that agree in this go to the same entry of `forward`, by rendezvous hash: a share that grows moves nobody away. A request without it is left to chance.',
  })
