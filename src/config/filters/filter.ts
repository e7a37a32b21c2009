/**
 * `filters[]` of listeners, routes and clusters: the list of types, each declared in a file of its own. An entry without a
 * type is a filter in TypeScript.
 */
import * as z from 'zod'
import { bandwidthLimit } from './bandwidth-limit.js'
import { budget } from './budget.js'
import { headerRewrite } from './header-rewrite.js'
import { inline } from './inline.js'
import { localRateLimit } from './local-rate-limit.js'
import { script } from './script.js'

/** Types that are known by name and do not work yet. */
const laterTypes = [
  ...['cors', 'compression', 'jwt', 'oidc', 'ext-authz', 'rbac', 'fault'],
  ...['grpc-web', 'transcoding', 'tap', 'cache', 'rate-limit'],
]

export const filter = z
  .discriminatedUnion('type', [localRateLimit, bandwidthLimit, budget, headerRewrite, script, inline])
  .meta({
    later: laterTypes,
  })

export const filters = () =>
  z
    .array(filter)
    .max(64)
    .superRefine((written, context) => {
      const first = new Map<string, number>()
      written.forEach((entry, index) => {
        if (entry.type !== 'local-rate-limit') return
        entry.buckets.forEach(({ name }, place) => {
          const message = `${JSON.stringify(name)} is already the name of a bucket of filters[${first.get(name)}]`
          if (first.has(name)) context.addIssue({ code: 'custom', message, path: [index, 'buckets', place, 'name'] })
          else first.set(name, index)
        })
      })
    })
    .prefault([])
    .meta({ description: 'In the order in which requests meet them; answers meet them in reverse' })
