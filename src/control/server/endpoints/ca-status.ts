/** `GET /v1/ca`: who is trusted, how long everything lasts, what is under way. */
import { mayIn } from '../../access/roles.js'
import { authorityStatus, describeAuthority } from '../../ca/status.js'
import { demandAuthority } from '../demand-authority.js'
import { endpoint, ok } from '../endpoint.js'
import { namespaceOfIdentity } from '../identity-namespace.js'

export const caStatus = endpoint({
  method: 'GET',
  path: '/v1/ca',
  about: 'The certificate authority: who is trusted, how long each link lasts, what was revoked',
  access: 'read',
  result: authorityStatus,
  answer({ authority, trustDomain, nowMs }, { principal }) {
    const { revoked, ...found } = describeAuthority(demandAuthority(authority), trustDomain, nowMs())
    return ok({ ...found, revoked: revoked.filter(({ identity }) => mayIn(principal, namespaceOfIdentity(identity))) })
  },
})
