/** `GET /v1/resources/{kind}/{namespace}/{name}`: one resource. */
import { demand } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { keyOf } from '../resource-path.js'
import { resource, shownResource } from '../shapes.js'

export const getResource = endpoint({
  method: 'GET',
  path: '/v1/resources/{kind}/{namespace}/{name}',
  about: 'One resource',
  access: 'read',
  result: resource,
  answer({ changes, kinds }, { principal, params }) {
    const key = keyOf(params, kinds)
    demand(principal, 'read', key.namespace)
    return ok(shownResource(changes.get(key)))
  },
})
