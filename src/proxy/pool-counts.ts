/** What pools of filters have counted, as counters of the proxy beside the engine's own. */
import { type PoolCount, poolCounts } from '../filters/thread-sheet.js'
import type { Stats } from '../native/index.js'

/** Names of the metrics. */
const metrics = {
  calls: 'weft_filter_pool_calls_total',
  late: 'weft_filter_pool_late_total',
  refused: 'weft_filter_pool_refused_total',
  repeated: 'weft_filter_pool_repeated_total',
  threadsEnded: 'weft_filter_pool_threads_ended_total',
} as const satisfies Record<PoolCount, string>

export function withPoolCounts(stats: Stats, read: (name: PoolCount) => number): Stats {
  const names = Object.keys(metrics) as PoolCount[]
  const counts = names.map((name) => [metrics[name], read(name)])
  const described = names.map((name) => ({ name: metrics[name], kind: 'counter' as const, help: poolCounts[name] }))
  return {
    ...stats,
    counters: { ...stats.counters, ...Object.fromEntries(counts) },
    descriptions: [...stats.descriptions, ...described],
  }
}
