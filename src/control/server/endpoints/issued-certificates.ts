/** `GET /v1/ca/issued`: which certificates of an identity still last, for whoever wants to revoke one. */
import * as z from 'zod'
import { mayIn } from '../../access/roles.js'
import { iso } from '../../ca/chain.js'
import { demandAuthority } from '../demand-authority.js'
import { endpoint, ok } from '../endpoint.js'
import { namespaceOfIdentity } from '../identity-namespace.js'

const maxItems = 1_000

export const issuedCertificates = endpoint({
  method: 'GET',
  path: '/v1/ca/issued',
  about: 'Certificates that this replica has issued and that still last, those that end first first',
  access: 'read',
  query: z.strictObject({ identity: z.string().max(512).optional().meta({ description: 'SPIFFE ID; absent: all' }) }),
  result: z.object({
    items: z.array(
      z.object({ serial: z.string(), identity: z.string(), authority: z.string(), notAfter: z.iso.datetime() }),
    ),
  }),
  answer({ authority }, { principal, query: { identity } }) {
    const { ledger } = demandAuthority(authority)
    const found = identity === undefined ? [...ledger] : ledger.ofIdentity(identity)
    const shown = found.filter((one) => mayIn(principal, namespaceOfIdentity(one.identity)))
    const sorted = shown.sort((one, other) => one.notAfterMs - other.notAfterMs).slice(0, maxItems)
    return ok({
      items: sorted.map(({ serial, identity, authority, notAfterMs }) => {
        return { serial, identity, authority, notAfter: iso(notAfterMs) }
      }),
    })
  },
})
