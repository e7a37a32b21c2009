/** `GET /v1/verdicts/{revision}`: what the data planes make of a revision, a JSON line after each change of it. */
import * as z from 'zod'
import { WeftError } from '../../../errors.js'
import { mayIn, type Principal } from '../../access/roles.js'
import type { DataPlanes, Verdict } from '../../data-planes/data-planes.js'
import type { Store } from '../../store/store.js'
import { endpoint } from '../endpoint.js'
import { verdict } from '../shapes.js'

export const verdicts = endpoint({
  method: 'GET',
  path: '/v1/verdicts/{revision}',
  about: 'What the data planes make of a revision: a JSON line now and after each change, until none is pending',
  access: 'read',
  result: z.object({ revision: z.int(), verdicts: z.array(verdict) }),
  answer({ dataPlanes, store }, { params, principal }) {
    const revision = Number(params.revision)
    if (!Number.isSafeInteger(revision)) {
      throw new WeftError('WEFT_API_REQUEST', `${params.revision} is not a revision`, { path: 'path' })
    }
    if (revision > store.revision() && knowsNewest(store)) {
      const hint = `the newest is ${store.revision()}`
      throw new WeftError('WEFT_API_NOT_FOUND', `there is no revision ${revision} yet`, { path: 'path', hint })
    }
    return {
      stream(write, end) {
        let last = ''
        const look = () => {
          const now = verdictsFor(principal, dataPlanes, revision)
          const text = JSON.stringify(now)
          if (text !== last) write({ revision, verdicts: now })
          last = text
          if (!now.some(({ state }) => state === 'pending')) end()
        }
        const stops = [
          dataPlanes.onChange(look),
          // A replica may hear of the revision after its client.
          store.watch(store.revision() + 1, look),
        ]
        look()
        return () => {
          for (const stop of stops) stop()
        }
      },
    }
  },
})

/** A replica that does not lead may hear of a revision after its client. */
function knowsNewest(store: Store): boolean {
  const { type, leader } = store.status()
  return type === 'embedded' || leader?.isSelf === true
}

/** Of data planes in the namespaces of whoever asks. */
function verdictsFor(principal: Principal, dataPlanes: DataPlanes, revision: number): readonly Verdict[] {
  const all = dataPlanes.verdicts(revision)
  if (principal.namespaces.includes('*')) return all
  const seen = dataPlanes.list().filter(({ namespace }) => mayIn(principal, namespace))
  const nodes = new Set(seen.map(({ node }) => node))
  return all.filter(({ node }) => nodes.has(node))
}
