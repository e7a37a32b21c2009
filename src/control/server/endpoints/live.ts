/** `GET /live`: the process answers. */
import * as z from 'zod'
import { endpoint, ok } from '../endpoint.js'

export const live = endpoint({
  method: 'GET',
  path: '/live',
  about: 'The process answers',
  access: 'open',
  result: z.object({ live: z.literal(true) }),
  answer: () => ok({ live: true }),
})
