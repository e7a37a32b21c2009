/** `GET /v1/ca/roots`: what the mesh trusts now. No secret: whoever checks a certificate of the mesh needs it. */
import * as z from 'zod'
import { demandAuthority } from '../demand-authority.js'
import { endpoint, ok } from '../endpoint.js'

export const caRoots = endpoint({
  method: 'GET',
  path: '/v1/ca/roots',
  about: 'The trusted roots and what was revoked, as PEM',
  access: 'open',
  result: z.object({ roots: z.string(), revoked: z.string() }),
  answer: ({ authority }) => ok(demandAuthority(authority).bundle()),
})
