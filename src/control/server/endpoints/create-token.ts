/** `POST /v1/tokens`: a new token; its text is in this answer and nowhere else. */
import * as z from 'zod'
import { duration } from '../../../config/forms/duration.js'
import { roles } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { token } from '../shapes.js'

const body = z.strictObject({
  name: z.string().min(1).max(128).meta({ description: 'For people: who or what holds it' }),
  role: z.enum(roles),
  namespaces: z.array(z.string().max(253)).min(1).default(['*']).meta({ description: '`*` for all' }),
  service: z.string().max(63).nullable().default(null).meta({ description: 'The only service that it may register' }),
  expiresIn: duration({ minMs: 1_000 }).nullable().default(null).meta({ description: 'null: it does not expire' }),
})

export const createToken = endpoint({
  method: 'POST',
  path: '/v1/tokens',
  about: 'Makes a token that may do no more than its maker; its text is shown once',
  access: 'administer',
  body,
  result: z.object({ token, text: z.string() }),
  async answer({ tokens, nowMs }, { principal, body: { expiresIn, ...request } }) {
    const expiresAtMs = expiresIn === null ? null : nowMs() + expiresIn
    return ok(await tokens.create({ ...request, expiresAtMs }, principal), 201)
  },
})
