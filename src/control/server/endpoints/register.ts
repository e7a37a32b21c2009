/** `POST /v1/workloads`: a workload says that it is there. */
import * as z from 'zod'
import { registration, workloadOf } from '../../registry/registration.js'
import { endpoint, ok } from '../endpoint.js'
import { demandService } from '../service-access.js'
import { workload } from '../shapes.js'

export const register = endpoint({
  method: 'POST',
  path: '/v1/workloads',
  about: 'Registers a workload, or takes the place of what was registered under the same id',
  access: 'register',
  body: registration,
  result: workload.extend({ ttlMs: z.int().meta({ description: 'Send a heartbeat three times as often' }) }),
  async answer({ registry }, { principal, body, remoteAddress }) {
    demandService(principal, body.namespace, body.service)
    const kept = await registry.register(body, remoteAddress, principal.name)
    return ok({ ...workloadOf(kept), ttlMs: kept.ttlMs }, 201)
  },
})
