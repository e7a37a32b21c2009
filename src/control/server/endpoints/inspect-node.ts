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
    const shown = dataPlanes.reached().filter(({ namespace }) => mayIn(principal, namespace))
    const items = shown.filter(({ node }) => node === params.node)
    if (items.length > 0) return ok({ items })
    const elsewhere = dataPlanes
      .list()
      .find(({ node, namespace }) => node === params.node && mayIn(principal, namespace))
    if (elsewhere === undefined) throw notConnected(params.node ?? '', shown)
    throw new WeftError('WEFT_API_NOT_FOUND', `${params.node} is connected to the replica ${elsewhere.replica}`, {
      hint: 'ask there: what reaches a data plane is known where it is connected',
    })
  },
})
