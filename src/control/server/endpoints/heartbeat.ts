/** `POST /v1/workloads/{namespace}/{service}/{id}/heartbeat`: a workload says that it is still there. */
import * as z from 'zod'
import { heartbeat as body, workloadOf } from '../../registry/registration.js'
import { endpoint, ok } from '../endpoint.js'
import { demandService } from '../service-access.js'
import { workload } from '../shapes.js'

export const heartbeat = endpoint({
  method: 'POST',
  path: '/v1/workloads/{namespace}/{service}/{id}/heartbeat',
  about: 'Keeps a workload registered; may change its health. 404: register again',
  access: 'register',
  body: body.prefault({}),
  result: workload.extend({ ttlMs: z.int() }),
  async answer({ registry }, { principal, params, body: { epoch, health } }) {
    const { namespace = '', service = '', id = '' } = params
    demandService(principal, namespace, service)
    const kept = await registry.heartbeat({ namespace, service, id }, epoch, health, principal.name)
    return ok({ ...workloadOf(kept), ttlMs: kept.ttlMs })
  },
})
