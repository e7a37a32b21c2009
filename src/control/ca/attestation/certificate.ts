/** By the certificate that it has already: how a workload renews. */
import type { RevocationList } from '../revocation-list.js'
import { type Attested, demandSame, type Proof, unproved, type Wanted } from './proof.js'

/** Throws `WEFT_CA_PROOF`. Only what TLS has verified is handed here. */
export function attestByCertificate(
  trustDomain: string,
  revocations: RevocationList,
  { serialNumber, subjectaltname = '' }: NonNullable<Proof['certificate']>,
  wanted: Wanted,
): Attested {
  const serial = serialNumber.toLowerCase()
  if (revocations.isRevoked(serial)) {
    throw unproved(`the certificate ${serial} was revoked`, 'prove who it is in another way, such as by a token')
  }
  const uris = subjectaltname.split(', ').flatMap((name) => /^URI:(.+)$/.exec(name)?.[1] ?? [])
  const own = uris.filter((uri) => uri.startsWith(`spiffe://${trustDomain}/`))
  const [, namespace = '', account = ''] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(own[0] ?? '') ?? []
  if (own.length !== 1 || account === '') {
    const shown = uris.length === 0 ? 'no SPIFFE ID' : uris.join(', ')
    throw unproved(
      `its certificate says ${shown}, which is no workload of ${trustDomain}`,
      'show a certificate of this mesh',
    )
  }
  return demandSame({ namespace, account, by: `certificate:${serial}` }, wanted)
}
