/**
 * Which silent workloads go, as a pure decision.
 *
 * Two rules stand above the heartbeat. Eureka's self-preservation: when more than 15 % would go at once it is likelier
 * that we have lost the workloads than that they have ended, so none goes. And the last one of a service always stays,
 * marked as stale: a caller is better served by a doubtful endpoint than by none.
 */

export interface Lease {
  key: string
  /** Namespace and service. */
  service: string
  expiresMs: number
}

export interface Eviction {
  evicted: string[]
  /** Silent, but kept. */
  stale: string[]
  /** Set when the first rule held all of them back. */
  held: { silent: number; allowed: number } | null
}

/** The share of workloads that may go at once. */
const evictableShare = 0.15

export function decideEviction(leases: readonly Lease[], nowMs: number): Eviction {
  const silent = leases.filter(({ expiresMs }) => expiresMs <= nowMs)
  if (silent.length === 0) return { evicted: [], stale: [], held: null }
  const spared = lastOfTheirService(leases, nowMs)
  const candidates = silent.filter(({ key }) => !spared.has(key))
  // Rounded up, as Eureka does, so that one of few may go.
  const allowed = Math.ceil(leases.length * evictableShare)
  const stale = [...spared]
  if (candidates.length <= allowed) return { evicted: candidates.map(({ key }) => key), stale, held: null }
  return { evicted: [], stale: silent.map(({ key }) => key), held: { silent: candidates.length, allowed } }
}

/** Of each service without a living workload, the one that was heard of last. */
function lastOfTheirService(leases: readonly Lease[], nowMs: number): Set<string> {
  const latest = new Map<string, Lease>()
  for (const lease of leases) {
    const known = latest.get(lease.service)
    if (known === undefined || lease.expiresMs > known.expiresMs) latest.set(lease.service, lease)
  }
  return new Set([...latest.values()].filter(({ expiresMs }) => expiresMs <= nowMs).map(({ key }) => key))
}
