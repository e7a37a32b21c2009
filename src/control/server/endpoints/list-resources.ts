/** `GET /v1/resources`: resources, by kind, namespace and labels. */
import * as z from 'zod'
import { demand, mayIn } from '../../access/roles.js'
import { resolveKind } from '../../resource-kinds.js'
import { isResourceKind } from '../../store/key.js'
import type { Entry } from '../../store/store.js'
import { endpoint, ok } from '../endpoint.js'
import { resource, shownResource } from '../shapes.js'

const query = z.strictObject({
  kind: z.string().optional().meta({ description: '`Kind.group`, or shorter where that is clear' }),
  namespace: z.string().optional(),
  labels: z.string().optional().meta({ description: '`name=value`, several with commas; all must fit' }),
})

export const listResources = endpoint({
  method: 'GET',
  path: '/v1/resources',
  about: 'Resources, by kind, namespace and labels',
  access: 'read',
  query,
  result: z.object({ revision: z.int(), items: z.array(resource) }),
  answer({ store, kinds }, { principal, query: { kind, namespace, labels } }) {
    if (namespace !== undefined) demand(principal, 'read', namespace)
    const filter = {
      ...(kind !== undefined && { kind: resolveKind(kind, kinds) }),
      ...(namespace !== undefined && { namespace }),
    }
    const wanted = (labels ?? '').split(',').filter((pair) => pair !== '')
    const found = store.list(filter).filter((entry) => {
      return isResourceKind(entry.key.kind) && mayIn(principal, entry.key.namespace) && hasLabels(entry, wanted)
    })
    return ok({ revision: store.revision(), items: found.map(shownResource) })
  },
})

function hasLabels({ value }: Entry, wanted: readonly string[]): boolean {
  const { labels = {} } = value.metadata as { labels?: Record<string, string> }
  return wanted.every((pair) => {
    const at = pair.indexOf('=')
    return at === -1 ? pair in labels : labels[pair.slice(0, at)] === pair.slice(at + 1)
  })
}
