/** Whether a caller may speak for a service: by its namespace, and by the one service of its token when it has one. */
import { WeftError } from '../../errors.js'
import { demand, type Principal } from '../access/roles.js'

export function demandService(principal: Principal, namespace: string, service: string): void {
  demand(principal, 'register', namespace)
  if (principal.service === null || principal.service === service) return
  throw new WeftError('WEFT_ACCESS_FORBIDDEN', `${principal.name} may not speak for ${service}`, {
    hint: `its token is for ${principal.service}`,
  })
}
