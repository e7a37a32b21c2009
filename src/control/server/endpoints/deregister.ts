/** `DELETE /v1/workloads/{namespace}/{service}/{id}`: a workload says that it goes. */
import * as z from 'zod'
import { endpoint, ok } from '../endpoint.js'
import { demandService } from '../service-access.js'
import { wholeNumber } from '../shapes.js'

const query = z.strictObject({
  epoch: wholeNumber.optional().meta({ description: 'As the registration was answered; an older one is refused' }),
})

export const deregister = endpoint({
  method: 'DELETE',
  path: '/v1/workloads/{namespace}/{service}/{id}',
  about: 'Takes a workload out of the registry',
  access: 'register',
  query,
  result: z.object({ deregistered: z.literal(true) }),
  async answer({ registry }, { principal, params, query: { epoch } }) {
    const { namespace = '', service = '', id = '' } = params
    demandService(principal, namespace, service)
    await registry.deregister({ namespace, service, id }, epoch, principal.name)
    return ok({ deregistered: true })
  },
})
