/** The authority, or the sentence that there is none. */
import { WeftError } from '../../errors.js'
import type { CertificateAuthority } from '../ca/certificate-authority.js'

export function demandAuthority(authority: CertificateAuthority | null): CertificateAuthority {
  if (authority !== null) return authority
  throw new WeftError('WEFT_CA_STATE', 'this control plane issues no certificates', {
    hint: 'make an authority in its data folder, and start it again: weft ca init --data DATA',
  })
}
