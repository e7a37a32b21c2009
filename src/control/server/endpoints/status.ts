/** `GET /v1/status`: the control plane, its store, the registry and every data plane. */
import * as z from 'zod'
import { mayIn } from '../../access/roles.js'
import { isResourceKind } from '../../store/key.js'
import { endpoint, ok } from '../endpoint.js'
import { dataPlane } from '../shapes.js'

const result = z.object({
  version: z.string(),
  uptimeMs: z.number(),
  revision: z.int(),
  resources: z.int(),
  store: z.object({
    type: z.enum(['embedded', 'etcd']),
    writable: z.boolean(),
    reason: z.string().nullable(),
    leader: z.object({ id: z.string(), address: z.string(), isSelf: z.boolean() }).nullable(),
    findings: z.array(z.string()),
  }),
  registry: z.object({
    services: z.int(),
    workloads: z.int(),
    stale: z.int(),
    held: z.object({ silent: z.int(), allowed: z.int() }).nullable(),
  }),
  dataPlanes: z.array(dataPlane),
})

export const status = endpoint({
  method: 'GET',
  path: '/v1/status',
  about: 'The control plane, its store, the registry and every data plane',
  access: 'read',
  result,
  answer({ version, startedAtMs, nowMs, store, registry, dataPlanes }, { principal }) {
    return ok({
      version,
      uptimeMs: nowMs() - startedAtMs,
      revision: store.revision(),
      resources: store.list().filter(({ key }) => isResourceKind(key.kind) && mayIn(principal, key.namespace)).length,
      store: store.status(),
      registry: registry.status(),
      dataPlanes: dataPlanes.list().filter(({ namespace }) => mayIn(principal, namespace)),
    })
  },
})
