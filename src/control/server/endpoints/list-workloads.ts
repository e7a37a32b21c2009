/** `GET /v1/workloads`: who is registered. */
import * as z from 'zod'
import { demand, mayIn } from '../../access/roles.js'
import { keptOf, workloadKind, workloadOf } from '../../registry/registration.js'
import { endpoint, ok } from '../endpoint.js'
import { workload } from '../shapes.js'

const query = z.strictObject({ namespace: z.string().optional(), service: z.string().optional() })

export const listWorkloads = endpoint({
  method: 'GET',
  path: '/v1/workloads',
  about: 'Who is registered, by namespace and service',
  access: 'read',
  query,
  result: z.object({ revision: z.int(), items: z.array(workload) }),
  answer({ store }, { principal, query: { namespace, service } }) {
    if (namespace !== undefined) demand(principal, 'read', namespace)
    const all = store.list({ kind: workloadKind, ...(namespace !== undefined && { namespace }) }).map(keptOf)
    const seen = all.filter((kept) => mayIn(principal, kept.namespace) && (service ?? kept.service) === kept.service)
    return ok({ revision: store.revision(), items: seen.map(workloadOf) })
  },
})
