/** `GET /v1/inspect/nodes/{node}`: the resources that reach one data plane, and what they do there. */
import * as z from 'zod'
import { WeftError } from '../../../errors.js'
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
    const shown = dataPlanes.list().filter(({ namespace }) => mayIn(principal, namespace))
    const named = shown.filter(({ node }) => node === params.node)
    const [first] = named
    if (first === undefined) throw notConnected(params.node ?? '', shown)
    const items = dataPlanes.reached(named)
    if (items.length > 0) return ok({ items })
    throw new WeftError('WEFT_API_NOT_FOUND', `${params.node} is connected to the replica ${first.replica}`, {
      hint: 'ask there: its labels are too long for replicas to tell each other',
    })
  },
})
