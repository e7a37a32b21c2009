/** `GET /v1/watch`: changes of resources as they happen, a JSON line each. */
import * as z from 'zod'
import { demand, mayIn, type Principal } from '../../access/roles.js'
import { resolveKind } from '../../state/resource-kinds.js'
import { isResourceKind, type Key } from '../../store/key.js'
import type { Entry, WatchEvent } from '../../store/store.js'
import { endpoint } from '../endpoint.js'
import { labelFilter, labelsDescription } from '../labels.js'
import { resource, shownResource, wholeNumber } from '../shapes.js'

const query = z.strictObject({
  kind: z.string().optional(),
  namespace: z.string().optional(),
  labels: z.string().optional().meta({ description: labelsDescription }),
  from: wholeNumber.optional().meta({ description: 'First revision; absent: what there is, then what comes' }),
})

/** `relist`: what lies between is not known any more; ask again without `from`. */
const line = z.object({
  type: z.enum(['added', 'changed', 'deleted', 'synced', 'relist']),
  revision: z.int(),
  resource: resource.optional(),
})

export const watch = endpoint({
  method: 'GET',
  path: '/v1/watch',
  about: 'Changes as they happen, one JSON value a line; an empty line says that the connection lives',
  access: 'read',
  query,
  result: line,
  answer({ store, kinds }, { principal, query: { kind, namespace, labels, from } }) {
    if (namespace !== undefined) demand(principal, 'read', namespace)
    const wanted = kind === undefined ? null : resolveKind(kind, kinds)
    const hasLabels = labelFilter(labels)
    const fits = (entry: Entry | null) => {
      if (entry === null) return false
      const { key } = entry
      const isWanted = isResourceKind(key.kind) && (wanted ?? key.kind) === key.kind
      return isWanted && inView(principal, namespace, key) && hasLabels(entry)
    }
    return {
      stream(write, end) {
        if (from === undefined) {
          for (const entry of store.list()) if (fits(entry)) write(shownLine('added', entry.version, entry))
          write({ type: 'synced', revision: store.revision() })
        }
        return store.watch(from ?? store.revision() + 1, (event) => {
          for (const shown of linesOf(event, fits)) write(shown)
          if (event.type === 'relist') end()
        })
      },
    }
  },
})

function inView(principal: Principal, namespace: string | undefined, key: Key): boolean {
  return mayIn(principal, key.namespace) && (namespace ?? key.namespace) === key.namespace
}

/** What loses the labels that are asked for is gone for whoever watches. */
function linesOf(event: WatchEvent, fits: (entry: Entry | null) => boolean): object[] {
  if (event.type === 'relist') return [event]
  const { revision, changes } = event.applied
  return changes.flatMap(({ before, after }) => {
    if (after !== null && fits(after)) return [shownLine(fits(before) ? 'changed' : 'added', revision, after)]
    return before !== null && fits(before) ? [shownLine('deleted', revision, before)] : []
  })
}

function shownLine(type: string, revision: number, entry: Entry): object {
  return { type, revision, resource: shownResource(entry) }
}
