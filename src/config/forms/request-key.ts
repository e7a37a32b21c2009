/** What of a request keeps it together with others: `{ header }`, `{ cookie }`, `{ query }`, `{ clientAddress }` or `{ cel }`. */
import * as z from 'zod'
import { duration } from './duration.js'
import { expression } from './expression.js'
import { headerName } from './header-name.js'
import { onlyOne } from './only-one.js'

const cookieName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, { error: 'is not the name of a cookie' })

const cookiePath = z
  .string()
  .regex(/^\/[!-:<-~]{0,255}$/, { error: 'must begin with / and hold neither blanks nor semicolons' })

const cookie = z.union([
  cookieName.transform((name) => ({ name, ttl: null, path: '/' })),
  z.strictObject({
    name: cookieName,
    ttl: duration()
      .nullable()
      .default(null)
      .meta({ description: 'A request without it gets one for so long, 0: until the browser ends; absent: none' }),
    path: cookiePath.default('/').meta({ description: 'Of the URLs that one is given for' }),
  }),
])

export const requestKey = z
  .strictObject({
    header: headerName.optional(),
    cookie: cookie.optional().meta({ description: 'A name, or `{ name, ttl, path }`', form: 'name' }),
    query: z.string().min(1).max(256).optional().meta({ description: 'A parameter of the query' }),
    clientAddress: z.literal(true).optional(),
    cel: expression().optional().meta({
      description: "The value of an expression over the request, a string or an int, such as `request.query['user']`",
    }),
  })
  .superRefine(onlyOne('header', 'cookie', 'query', 'clientAddress', 'cel'))

export type ResolvedRequestKey = z.output<typeof requestKey>
