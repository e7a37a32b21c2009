/** `listeners[].overload` → the engine's. */
import type { ResolvedConfig } from '../../config/config.js'
import type { Overload } from '../../native/snapshot.js'

type ResolvedOverload = NonNullable<ResolvedConfig['listeners'][number]['overload']>

export function compileOverload({ memory, eventLoopLag, cpu, criticality }: ResolvedOverload): Overload {
  const kib = (bytes: number | null) => (bytes === null ? null : Math.ceil(bytes / 1024))
  return {
    memory: memory === null ? null : { limitKib: kib(memory.limit), shedAtPercent: memory.shedAt },
    eventLoopLagMs: eventLoopLag?.shedAt ?? null,
    cpuPercent: cpu?.shedAt ?? null,
    criticality,
  } satisfies Overload
}
