/** `GET /ready`: it can serve reads; says also whether it can take changes. */
import * as z from 'zod'
import { endpoint, ok } from '../endpoint.js'

export const ready = endpoint({
  method: 'GET',
  path: '/ready',
  about: 'Serves reads; `writable` says whether it takes changes itself',
  access: 'open',
  result: z.object({ ready: z.literal(true), writable: z.boolean() }),
  answer: ({ store }) => ok({ ready: true, writable: store.status().writable }),
})
