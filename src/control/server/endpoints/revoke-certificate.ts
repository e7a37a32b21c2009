/** `POST /v1/ca/revocations`: a certificate, or an identity with all of its certificates, is taken back. */
import * as z from 'zod'
import { demand } from '../../access/roles.js'
import { iso } from '../../ca/chain.js'
import { demandAuthority } from '../demand-authority.js'
import { endpoint, ok } from '../endpoint.js'
import { namespaceOfIdentity } from '../identity-namespace.js'

const body = z
  .strictObject({
    serial: z
      .string()
      .regex(/^(?:[0-9a-f]{2}){1,20}$/, { error: 'must be hexadecimal, lower case' })
      .optional(),
    identity: z
      .string()
      .regex(/^spiffe:\/\/[^/\s]+\/ns\/[^/\s]+\/sa\/[^/\s]+$/, {
        error: 'must be spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT',
      })
      .optional(),
    reason: z.string().min(1).max(256).default('revoked').meta({ description: 'For people' }),
    lift: z.boolean().default(false).meta({ description: 'The identity may have certificates again' }),
  })
  .refine(({ serial, identity }) => (serial === undefined) !== (identity === undefined), {
    error: 'give either serial or identity',
  })
  .refine(({ serial, lift }) => serial === undefined || !lift, { error: 'only an identity can be lifted' })

const revocation = z.object({
  serial: z.string().nullable(),
  identity: z.string().nullable(),
  at: z.iso.datetime(),
})

export const revokeCertificate = endpoint({
  method: 'POST',
  path: '/v1/ca/revocations',
  about: 'Takes back a certificate, or an identity with all of its certificates; new connections are refused at once',
  access: 'administer',
  body,
  result: z.object({ revoked: z.array(revocation) }),
  async answer({ authority }, { principal, body: { serial, identity, reason, lift } }) {
    const { revocations } = demandAuthority(authority)
    const { name } = principal
    // A serial number alone does not tell whose it is.
    demand(principal, 'administer', namespaceOfIdentity(identity))
    if (lift && identity !== undefined) await revocations.lift(identity, name)
    const revoked = lift
      ? []
      : serial !== undefined
        ? await revocations.revokeSerial(serial, reason, name)
        : await revocations.revokeIdentity(identity ?? '', reason, name)
    return ok({ revoked: revoked.map(({ serial, identity, atMs }) => ({ serial, identity, at: iso(atMs) })) })
  },
})
