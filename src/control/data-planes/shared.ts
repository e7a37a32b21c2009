/**
 * The data planes of all replicas: those connected here, told to the others, and those that the others tell of.
 *
 * Invariant: what reaches a data plane of another replica is compiled here from its description, which is all that it
 * follows from beside the mesh.
 */

import type { Replicas } from '../store/replicas.js'
import { debounce } from '../xds/debounce.js'
import type { DataPlanes, Verdict } from './data-planes.js'
import { type ReportedPlane, readReport, writeReport } from './report.js'

/** Told when it has come to rest for so long, and at the latest after `maxMs`. */
const quietMs = 50
const maxMs = 500
/** How long somebody has been behind is looked at this often, where nothing else happens. */
const lookMs = 2_000

export interface SharedDataPlanes extends DataPlanes {
  close(): void
}

/** `stateOf`: the revision that must be answered for, as `MeshSource` says. */
export function shareDataPlanes(
  own: DataPlanes,
  replicas: Replicas,
  stateOf: (revision: number) => number,
): SharedDataPlanes {
  const tell = () => {
    for (const [part, value] of writeReport(own, Date.now())) replicas.tell(part, value)
  }
  const settle = debounce(tell, {
    quietMs,
    maxMs,
    now: () => performance.now(),
    setTimer: (run, ms) => setTimeout(run, ms),
    clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
  })
  const timer = setInterval(tell, lookMs).unref()
  const endFollowing = own.onChange(() => settle.ask())
  const others = () => {
    const nowMs = Date.now()
    return [...replicas.told()].flatMap(([replica, parts]) => readReport(replica, parts, nowMs))
  }
  return {
    list: () => [
      ...own.list().map((plane) => ({ ...plane, replica: replicas.id })),
      ...others().map(({ plane }) => plane),
    ],
    reached: (planes) => own.reached(planes),
    verdicts: (revision) => [
      ...own.verdicts(revision),
      ...others().map((reported) => verdictOf(reported, stateOf(revision))),
    ],
    onChange(listener) {
      const ends = [own.onChange(listener), replicas.onTold(listener)]
      return () => {
        for (const end of ends) end()
      }
    },
    close() {
      clearInterval(timer)
      settle.cancel()
      endFollowing()
    },
  }
}

function verdictOf({ plane, refusals, holds }: ReportedPlane, revision: number): Verdict {
  const { node, ackedRevision } = plane
  const state = ackedRevision < revision && !holds ? 'pending' : refusals.length > 0 ? 'refused' : 'applied'
  return { node, state, refusals }
}
