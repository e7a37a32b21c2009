// A/B by user: a share of the users gets another cluster, and each user always the same one. More percent moves users
// from A to B only; another experiment divides them anew.
import { createHash } from 'node:crypto'
import { defineFilter } from 'weftmesh'
import * as z from 'zod'

export default defineFilter({
  name: 'ab-by-user',
  options: z.object({
    experiment: z.string(),
    header: z.string().default('x-user'),
    percent: z.number().min(0).max(100),
    cluster: z.string(),
  }),
  state: () => ({ variant: 'a' }),
  onRequest(request, { options, state }) {
    const user = request.headers.get(options.header)
    if (user !== null && shareOf(`${options.experiment}/${user}`) < options.percent) {
      state.variant = 'b'
      request.useCluster(options.cluster)
    }
    request.headers.set('x-variant', state.variant)
  },
  onResponse(response, { state }) {
    response.headers.set('x-variant', state.variant)
  },
})

/** 0 to 100, evenly over all texts. @param {string} text */
function shareOf(text) {
  return (createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32) * 100
}
