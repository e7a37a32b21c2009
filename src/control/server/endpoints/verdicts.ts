/** `GET /v1/verdicts/{revision}`: what the data planes make of a revision, a JSON line after each change of it. */
import * as z from 'zod'
import { WeftError } from '../../../errors.js'
import { endpoint } from '../endpoint.js'
import { verdict } from '../shapes.js'

export const verdicts = endpoint({
  method: 'GET',
  path: '/v1/verdicts/{revision}',
  about: 'What the data planes make of a revision: a JSON line now and after each change, until none is pending',
  access: 'read',
  result: z.object({ revision: z.int(), verdicts: z.array(verdict) }),
  answer({ dataPlanes }, { params }) {
    const revision = Number(params.revision)
    if (!Number.isSafeInteger(revision)) {
      throw new WeftError('WEFT_API_REQUEST', `${params.revision} is not a revision`, { path: 'path' })
    }
    return {
      stream(write, end) {
        let last = ''
        const look = () => {
          const now = dataPlanes.verdicts(revision)
          const text = JSON.stringify(now)
          if (text !== last) write({ revision, verdicts: now })
          last = text
          if (!now.some(({ state }) => state === 'pending')) end()
        }
        const stop = dataPlanes.onChange(look)
        look()
        return stop
      },
    }
  },
})
