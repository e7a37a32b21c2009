/** `DELETE /v1/tokens/{id}`: from the next request on it is worth nothing. */
import * as z from 'zod'
import { endpoint, ok } from '../endpoint.js'

export const revokeToken = endpoint({
  method: 'DELETE',
  path: '/v1/tokens/{id}',
  about: 'Revokes a token at once',
  access: 'administer',
  result: z.object({ revoked: z.string() }),
  async answer({ tokens }, { principal, params: { id = '' } }) {
    await tokens.revoke(id, principal)
    return ok({ revoked: id })
  },
})
