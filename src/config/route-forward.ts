/** `routes[].forward`: the clusters that share a route's requests, and what keeps a request with one of them. */
import * as z from 'zod'
import { expression } from './expression.js'
import { headerName } from './header-name.js'
import { name } from './name.js'
import { notYetKeys } from './not-yet.js'
import { onlyOne } from './only-one.js'

export const forward = z
  .array(
    z
      .strictObject({
        cluster: name().meta({ description: 'Name of a cluster' }),
        weight: z
          .int()
          .min(1)
          .max(1_000_000)
          .default(1)
          .meta({ description: 'Its share: its weight over the sum of all; leave an entry out to send it nothing' }),
        ...notYetKeys('subset'),
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
    cel: expression().optional().meta({
      description: "The value of an expression over the request, a string or an int, such as `request.query['user']`",
    }),
  })
  .superRefine(onlyOne('header', 'cookie', 'query', 'clientAddress', 'cel'))
  .meta({
    title: 'sticky',
    description:
      'Requests that agree in this go to the same cluster, by rendezvous hash: a share that grows moves nobody away. A request without it is left to chance.',
  })
