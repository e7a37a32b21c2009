/** `GET /v1/resources`: resources, by kind, namespace and labels. */
import * as z from 'zod'
import { demand, mayIn } from '../../access/roles.js'
import { resolveKind } from '../../state/resource-kinds.js'
import { isResourceKind } from '../../store/key.js'
import { endpoint, ok } from '../endpoint.js'
import { labelFilter, labelsDescription } from '../labels.js'
import { resource, shownResource } from '../shapes.js'

const query = z.strictObject({
  kind: z.string().optional().meta({ description: '`Kind.group`, or shorter where that is clear' }),
  namespace: z.string().optional(),
  labels: z.string().optional().meta({ description: labelsDescription }),
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
    const hasLabels = labelFilter(labels)
    const found = store.list(filter).filter((entry) => {
      return isResourceKind(entry.key.kind) && mayIn(principal, entry.key.namespace) && hasLabels(entry)
    })
    return ok({ revision: store.revision(), items: found.map(shownResource) })
  },
})
