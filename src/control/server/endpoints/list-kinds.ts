/** `GET /v1/kinds`: the kinds that can be applied. */
import * as z from 'zod'
import { endpoint, ok } from '../endpoint.js'

export const listKinds = endpoint({
  method: 'GET',
  path: '/v1/kinds',
  about: 'The kinds of resources that this control plane takes',
  access: 'known',
  result: z.object({ items: z.array(z.object({ kind: z.string(), group: z.string() })) }),
  answer: ({ kinds }) => ok({ items: kinds.known }),
})
