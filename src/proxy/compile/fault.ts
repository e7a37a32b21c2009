/** `routes[].fault` → the engine's fault. */
import type { ResolvedFault } from '../../config/routes/fault.js'
import type { Fault } from '../../native/snapshot.js'

export function compileFault({ delay, abort, throughput, ttl }: ResolvedFault): Fault {
  return {
    delay: delay && { fixedMs: delay.fixed, sharePpm: delay.percent },
    abort: abort && { status: abort.status, sharePpm: abort.percent },
    throughput: throughput && { bytesPerSecond: throughput.bytesPerSecond, sharePpm: throughput.percent },
    ttlMs: ttl,
  } satisfies Fault
}
