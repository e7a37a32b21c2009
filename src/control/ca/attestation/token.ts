/** By a token of the control plane: of its service, or of any account of its namespaces. */
import { WeftError } from '../../../errors.js'
import { mayDo, mayIn } from '../../access/roles.js'
import type { Tokens } from '../../access/tokens.js'
import { type Attested, unproved, type Wanted } from './proof.js'

/** Throws `WEFT_CA_PROOF`. */
export function attestByToken(tokens: Tokens, token: string, wanted: Wanted): Attested {
  const principal = verified(tokens, token)
  const { name, namespaces, service } = principal
  if (!mayDo(principal, 'register'))
    throw unproved(`${name} may not be a workload: its role is ${principal.role}`, make)
  const [only = '*', ...others] = namespaces
  const namespace = wanted.namespace ?? (others.length === 0 && only !== '*' ? only : 'default')
  if (!mayIn(principal, namespace)) throw unproved(`${name} may not be a workload of ${namespace}`, make)
  const account = wanted.account ?? service
  if (account === null) throw unproved(`${name} is for any account: say which`, 'with weft: --account NAME')
  if (service !== null && account !== service) throw unproved(`${name} may only be ${service}, not ${account}`, make)
  return { namespace, account, by: name }
}

function verified(tokens: Tokens, token: string) {
  try {
    return tokens.verify(token)
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    throw unproved(error.message, error.hint ?? make)
  }
}

const make = 'an admin makes one: weft token create --role workload --namespace NAMESPACE --service ACCOUNT'
