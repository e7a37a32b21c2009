/** What somebody shows who asks for a certificate, and who that makes it. */
import type { PeerCertificate } from 'node:tls'
import { WeftError } from '../../../errors.js'
import type { WorkloadName } from '../../certificates/certificate-source.js'

export interface Proof {
  /** What TLS has verified; null without. */
  certificate: PeerCertificate | null
  /** `Bearer TOKEN`; null without. */
  authorization: string | null
}

/** Whom it wants to be, where its proof leaves that open. */
export interface Wanted {
  namespace: string | null
  account: string | null
}

export interface Attested extends WorkloadName {
  /** How it was proved, for the audit log. */
  by: string
}

export function unproved(message: string, hint: string): WeftError {
  return new WeftError('WEFT_CA_PROOF', message, { hint })
}

/** What it wants must be what was proved. */
export function demandSame({ namespace, account, by }: Attested, wanted: Wanted): Attested {
  const other = wanted.namespace !== null && wanted.namespace !== namespace
  if (other || (wanted.account !== null && wanted.account !== account)) {
    const name = `${wanted.namespace ?? namespace}/${wanted.account ?? account}`
    throw unproved(`${by} is ${namespace}/${account} and not ${name}`, 'ask for no name, or for that one')
  }
  return { namespace, account, by }
}
