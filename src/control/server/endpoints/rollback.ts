/** `POST /v1/resources/{kind}/{namespace}/{name}/rollback`: puts back what stood there. */
import * as z from 'zod'
import { demand } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { keyOf } from '../resource-path.js'
import { changeResult, shownChanges } from '../shapes.js'

const body = z.strictObject({
  to: z.int().min(1).nullable().default(null).meta({ description: 'A revision; null: before the last change' }),
  dryRun: z.boolean().default(false),
})

export const rollback = endpoint({
  method: 'POST',
  path: '/v1/resources/{kind}/{namespace}/{name}/rollback',
  about: 'Puts back what stood there at a revision, as a new change',
  access: 'write',
  body,
  result: changeResult,
  async answer({ changes, kinds }, { principal, params, body: { to, dryRun } }) {
    const allowed = (namespace: string) => demand(principal, 'write', namespace)
    const options = { author: principal.name, reason: 'rollback', dryRun, demand: allowed }
    return ok(shownChanges(await changes.rollback(keyOf(params, kinds), to, options), dryRun))
  },
})
