/** `GET /v1/check`: what the control plane finds when it looks at itself and at its mesh. */
import * as z from 'zod'
import { demandEverywhere } from '../../access/roles.js'
import { gatherFacts } from '../../check/facts.js'
import { checkAll } from '../../check/index.js'
import { endpoint, ok } from '../endpoint.js'

const checked = z
  .object({
    id: z.string(),
    group: z.string(),
    about: z.string().meta({ description: 'What is so when all is well' }),
    level: z.enum(['ok', 'warning', 'error']),
    message: z.string().nullable(),
    hint: z.string().nullable(),
  })
  .meta({ title: 'Checked' })

export const check = endpoint({
  method: 'GET',
  path: '/v1/check',
  about: 'What the control plane finds when it looks at itself and at its mesh; for those who may read every namespace',
  access: 'read',
  result: z.object({ version: z.string(), at: z.iso.datetime(), items: z.array(checked) }),
  async answer(context, { principal }) {
    demandEverywhere(principal, 'read')
    const items = checkAll(await gatherFacts(context))
    return ok({ version: context.version, at: new Date(context.nowMs()).toISOString(), items })
  },
})
