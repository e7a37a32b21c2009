/** `routes[].forward`: the clusters that share a route's requests, and what keeps a request with one of them. */
import * as z from 'zod'
import { destination } from '../clusters/subset.js'
import { requestKey } from '../forms/request-key.js'

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

export const sticky = requestKey.meta({
  title: 'sticky',
  description:
    'Requests that agree in this go to the same entry of `forward`, by rendezvous hash: a share that grows moves nobody away. A request without it is left to chance, unless it is given a cookie.',
})
