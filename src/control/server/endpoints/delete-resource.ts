/** `DELETE /v1/resources/{kind}/{namespace}/{name}`. */
import * as z from 'zod'
import { demand } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { keyOf } from '../resource-path.js'
import { changeResult, flag, shownChanges, wholeNumber } from '../shapes.js'

const query = z.strictObject({
  version: wholeNumber.optional().meta({ description: 'Deletes only this version' }),
  dryRun: flag,
})

export const deleteResource = endpoint({
  method: 'DELETE',
  path: '/v1/resources/{kind}/{namespace}/{name}',
  about: 'Deletes a resource',
  access: 'write',
  query,
  result: changeResult,
  async answer({ changes, kinds }, { principal, params, query: { version = null, dryRun } }) {
    const allowed = (namespace: string) => demand(principal, 'write', namespace)
    const options = { author: principal.name, reason: 'delete', dryRun, demand: allowed }
    return ok(shownChanges(await changes.delete(keyOf(params, kinds), version, options), dryRun))
  },
})
