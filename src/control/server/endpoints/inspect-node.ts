/** `GET /v1/inspect/nodes/{node}`: the resources that reach one data plane, and what they do there. */
import * as z from 'zod'
import { mayIn } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { notConnected, reachedBy } from '../shapes.js'

export const inspectNode = endpoint({
  method: 'GET',
  path: '/v1/inspect/nodes/{node}',
  about: 'The resources that reach one data plane, and what they do there',
  access: 'read',
  result: z.object({ items: z.array(reachedBy) }),
  answer({ dataPlanes }, { principal, params }) {
    const shown = dataPlanes.reached().filter(({ namespace }) => mayIn(principal, namespace))
    const items = shown.filter(({ node }) => node === params.node)
    if (items.length === 0) throw notConnected(params.node ?? '', shown)
    return ok({ items })
  },
})
