/**
 * Who takes the connections of a port by the name that their TLS handshake asks for: of those that claim the same name
 * the one whose listener is the narrower (an exact name, then the longer suffix, then any), then the older.
 *
 * That a connection goes to the narrowest of the names that it fits is for the data plane.
 */
import { includesHost } from '../../resources/kind.js'
import { describeOrigin, type MeshFinding } from '../finding.js'
import type { Origin } from '../nouns.js'

/** Every name, and none. */
export const anyName = '*'

export interface NameClaim {
  name: string
  /** Ranges that the addresses of the connection are in, as equal texts; absent: any. */
  destination?: string
  source?: string
  /** Where in the resource it stands. */
  path: string
}

export interface Claimant {
  /** The name of the listener that it hangs on. */
  listener: string
  origin: Origin
  claims: readonly NameClaim[]
}

export interface Settled {
  /** What each claimant gets of its claims, in the order of the claimants. */
  held: NameClaim[][]
  findings: MeshFinding[]
}

/** `claimants` stand in the order of their age. `port` is how people know it. */
export function settleNames(claimants: readonly Claimant[], port: string): Settled {
  const holders = new Map<string, Origin>()
  const findings: MeshFinding[] = []
  const entries = claimants.map((claimant) => ({ claimant, held: [] as NameClaim[] }))
  for (const { claimant, held } of [...entries].sort((a, b) => width(a.claimant) - width(b.claimant))) {
    for (const claim of claimant.claims) {
      const own = { ...claimant.origin, path: claim.path }
      const key = claimKey(claim)
      const holder = holders.get(key)
      if (holder === undefined) {
        holders.set(key, own)
        held.push(claim)
      } else if (JSON.stringify(holder) !== JSON.stringify(own)) findings.push(taken(claim, port, own, holder))
    }
  }
  return { held: entries.map(({ held }) => held), findings }
}

/** An exact name is the narrowest; a name has 253 characters at most. */
function width({ listener }: Claimant): number {
  if (listener === anyName) return 256
  return listener.startsWith('*.') ? 256 - listener.length : 0
}

/** Equal for claims of which only one can hold. */
export function claimKey({ name, destination = '', source = '' }: NameClaim): string {
  return `${name} ${destination} ${source}`
}

function taken({ name, destination, source }: NameClaim, port: string, origin: Origin, holder: Origin): MeshFinding {
  const addresses = `${destination === undefined ? '' : ` for ${destination}`}${source === undefined ? '' : ` from ${source}`}`
  const what = `${name === anyName ? `what comes to ${port}` : `${name} at ${port}`}${addresses}`
  const message = `${what} goes to ${describeOrigin(holder)} ${holder.path} already`
  const hint = 'let one resource take it; of two that do, the one with the narrower listener holds, then the older'
  return { severity: 'error', code: 'WEFT_MESH_CONFLICT', origin, message, hint }
}

/** The names that a route and a listener have in common: the narrower of each pair. */
export function sharedHosts(route: readonly string[], listener: string): string[] {
  const names = route.length === 0 ? [anyName] : route
  return names.flatMap((name) =>
    includesHost(listener, name) ? [name] : includesHost(name, listener) ? [listener] : [],
  )
}
