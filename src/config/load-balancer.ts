/** `clusters[].loadBalancer`: how the endpoint of an attempt is chosen. */
import * as z from 'zod'
import { notYetKeys, words } from './not-yet.js'

const leastChoices = 2

export const loadBalancer = z
  .strictObject({
    policy: words(['round-robin', 'random', 'least-request'], ['ring-hash', 'maglev', 'peak-ewma'])
      .prefault('round-robin')
      .meta({ description: 'In turn, by chance, or the least busy of some drawn by chance; all keep to weights' }),
    choices: z
      .int()
      .min(leastChoices)
      .max(16)
      .nullable()
      .default(null)
      .meta({ description: `How many \`least-request\` draws and compares; absent: ${leastChoices}` }),
    ...notYetKeys('slowStart', 'decay', 'defaultRtt', 'tableSize', 'boundedLoad', 'hashOn', 'minRing', 'maxRing'),
  })
  .superRefine(({ policy, choices }, context) => {
    if (choices === null || !['round-robin', 'random'].includes(policy)) return
    context.addIssue({ code: 'custom', path: ['choices'], message: `belongs to least-request, not to ${policy}` })
  })
  .transform(({ policy, choices }) => ({ policy, choices: choices ?? leastChoices }))
  .meta({ title: 'loadBalancer' })
