/** `GET /v1/inspect/resources/{kind}/{namespace}/{name}`: the data planes that one resource reaches. */
import * as z from 'zod'
import { demand, mayIn } from '../../access/roles.js'
import { formatKey } from '../../store/key.js'
import { endpoint, ok } from '../endpoint.js'
import { keyOf } from '../resource-path.js'
import { reachedBy } from '../shapes.js'

export const inspectResource = endpoint({
  method: 'GET',
  path: '/v1/inspect/resources/{kind}/{namespace}/{name}',
  about: 'The data planes that one resource reaches, and what it does there',
  access: 'read',
  result: z.object({
    items: z.array(reachedBy),
    connected: z.int(),
    unknown: z.array(z.string()).meta({ description: 'Of other replicas, which could not tell enough of them' }),
  }),
  answer({ changes, dataPlanes, kinds }, { principal, params }) {
    const key = keyOf(params, kinds)
    demand(principal, 'read', key.namespace)
    changes.get(key) // says that there is none
    const name = formatKey(key)
    const shown = dataPlanes.list().filter(({ namespace }) => mayIn(principal, namespace))
    const unknown = shown.flatMap(({ node, description }) => (description === null ? [node] : []))
    const items = dataPlanes.reached(shown).flatMap((plane) => {
      const resources = plane.resources.filter(({ resource }) => resource === name)
      return resources.length === 0 ? [] : [{ ...plane, resources }]
    })
    return ok({ items, connected: shown.length, unknown })
  },
})
