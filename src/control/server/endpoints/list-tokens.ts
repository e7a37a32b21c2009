/** `GET /v1/tokens`: the tokens that there are, without their texts. */
import * as z from 'zod'
import { endpoint, ok } from '../endpoint.js'
import { token } from '../shapes.js'

export const listTokens = endpoint({
  method: 'GET',
  path: '/v1/tokens',
  about: 'The tokens that may do no more than the asker, without their texts',
  access: 'administer',
  result: z.object({ items: z.array(token) }),
  answer: ({ tokens }, { principal }) => ok({ items: tokens.list(principal) }),
})
