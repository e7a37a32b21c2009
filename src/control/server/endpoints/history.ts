/** `GET /v1/resources/{kind}/{namespace}/{name}/history`: what a resource was, newest first. */
import * as z from 'zod'
import { demand } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { keyOf } from '../resource-path.js'
import { historyEntry, shownHistory } from '../shapes.js'

export const history = endpoint({
  method: 'GET',
  path: '/v1/resources/{kind}/{namespace}/{name}/history',
  about: 'What a resource was, newest first, deletions included',
  access: 'read',
  result: z.object({ items: z.array(historyEntry) }),
  answer({ changes, store, kinds }, { principal, params }) {
    const key = keyOf(params, kinds)
    demand(principal, 'read', key.namespace)
    const entries = store.history(key)
    if (entries.length === 0) changes.get(key) // says that there is none
    return ok({ items: entries.map(shownHistory) })
  },
})
