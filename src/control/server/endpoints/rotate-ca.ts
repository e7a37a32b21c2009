/** `POST /v1/ca/rotate`: another root takes the place of the present one, step by step. */
import * as z from 'zod'
import { demand } from '../../access/roles.js'
import { authorityStatus, describeAuthority } from '../../ca/status.js'
import { demandAuthority } from '../demand-authority.js'
import { endpoint, ok } from '../endpoint.js'

export const rotateCa = endpoint({
  method: 'POST',
  path: '/v1/ca/rotate',
  about: 'Begins a rotation of the root; with force, takes the next step of one without waiting for everybody',
  access: 'administer',
  body: z.strictObject({
    force: z.boolean().default(false).meta({ description: 'Whoever is not ready then fails until it is' }),
  }),
  result: authorityStatus,
  async answer({ authority, trustDomain, nowMs }, { principal, body: { force } }) {
    const present = demandAuthority(authority)
    demand(principal, 'administer', '*')
    if (force) await present.rotation.force(principal.name)
    else await present.rotate(principal.name)
    return ok(describeAuthority(present, trustDomain, nowMs()))
  },
})
