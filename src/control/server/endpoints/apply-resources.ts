/** `POST /v1/apply`: creates and changes resources, all or none; with `dryRun` only says what would happen. */
import * as z from 'zod'
import { demand } from '../../access/roles.js'
import { endpoint, ok } from '../endpoint.js'
import { changeResult, resource, shownChanges } from '../shapes.js'

const body = z.strictObject({
  resources: z
    .array(z.unknown())
    .min(1)
    .max(10_000)
    .meta({ items: z.toJSONSchema(resource) }),
  dryRun: z.boolean().default(false).meta({ description: 'Says what would happen, changes nothing' }),
})

export const applyResources = endpoint({
  method: 'POST',
  path: '/v1/apply',
  about: 'Creates and changes resources, all of them or none; YAML with several documents is taken as well',
  access: 'write',
  body,
  result: changeResult,
  async answer({ changes }, { principal, body: { resources, dryRun } }) {
    const allowed = (namespace: string) => demand(principal, 'write', namespace)
    const options = { author: principal.name, reason: 'apply', dryRun, demand: allowed }
    return ok(shownChanges(await changes.apply(resources, options), dryRun))
  },
})
