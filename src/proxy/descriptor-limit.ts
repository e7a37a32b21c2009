/**
 * The limit on open descriptors against what the listeners promise to hold.
 *
 * A proxied connection needs two descriptors, one on each side. Node raises the soft limit to the hard one when it
 * starts, so what is left is to lower `maxConnections` to what fits: connections above it are answered 503, where a
 * limit that was hit would have failed others amid an exchange.
 */
import { readFileSync } from 'node:fs'
import { hasDoor } from '../config/checks/doors.js'
import type { ResolvedConfig } from '../config/config.js'
import { memoryAddress } from '../config/forms/address.js'

/** Descriptors for everything else: the process itself, admin, logs, listening sockets, spare upstream connections. */
const headroom = 256

/** The soft limit of this process, or infinity where the system does not tell. */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return line?.[1] === undefined || line[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line[1])
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** The configuration with `maxConnections` lowered in proportion where the sum does not fit, and what to say about it. */
export function fitConnections(config: ResolvedConfig, limit: number): { config: ResolvedConfig; warnings: string[] } {
  const wanted = config.listeners.filter(isCounted).reduce((sum, { limits }) => sum + limits.maxConnections, 0)
  const possible = Math.max(0, Math.floor((limit - headroom) / 2))
  if (wanted <= possible) return { config, warnings: [] }
  const warnings: string[] = []
  const listeners = config.listeners.map((listener) => {
    if (!isCounted(listener)) return listener
    const { maxConnections } = listener.limits
    const fitted = Math.max(1, Math.floor((maxConnections / wanted) * possible))
    warnings.push(
      `listener ${listener.name} takes at most ${fitted} connections, not ${maxConnections}: the limit of ${limit} open ` +
        `descriptors is too low; raise it to ${wanted * 2 + headroom} (ulimit -n)`,
    )
    return { ...listener, limits: { ...listener.limits, maxConnections: fitted } }
  })
  return { config: { ...config, listeners }, warnings }
}

/** Behind a door nobody keeps `maxConnections`. */
function isCounted(listener: ResolvedConfig['listeners'][number]): boolean {
  return listener.address !== memoryAddress && !hasDoor(listener)
}
