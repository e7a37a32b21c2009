/** `GET /v1/status`: the control plane, its store, the registry and every data plane. */
import * as z from 'zod'
import { mayIn } from '../../access/roles.js'
import { describeChain, link } from '../../ca/status.js'
import { isResourceKind } from '../../store/key.js'
import { type ApiContext, endpoint, ok } from '../endpoint.js'
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
  certificates: z.array(link).meta({ description: 'Of this API and of the authority; workloads’ own: /v1/ca/issued' }),
  dataPlanes: z.array(dataPlane),
})

export const status = endpoint({
  method: 'GET',
  path: '/v1/status',
  about: 'The control plane, its store, the registry and every data plane',
  access: 'read',
  result,
  answer(context, { principal }) {
    const { version, startedAtMs, nowMs, store, registry, dataPlanes } = context
    return ok({
      version,
      uptimeMs: nowMs() - startedAtMs,
      revision: store.revision(),
      resources: store.list().filter(({ key }) => isResourceKind(key.kind) && mayIn(principal, key.namespace)).length,
      store: store.status(),
      registry: registry.status(),
      certificates: certificatesOf(context),
      dataPlanes: dataPlanes.list().flatMap(({ description: _, ...plane }) => {
        return mayIn(principal, plane.namespace) ? [plane] : []
      }),
    })
  },
})

function certificatesOf({ ownChain, authority, nowMs }: ApiContext) {
  const authorities = authority?.trust.all() ?? []
  return [
    ...describeChain('this API', ownChain() ?? '', nowMs()),
    ...authorities.flatMap(({ state, chain, root }) => [
      ...describeChain(`intermediate, ${state}`, chain, nowMs()),
      ...describeChain(`root, ${state}`, root, nowMs()),
    ]),
  ]
}
