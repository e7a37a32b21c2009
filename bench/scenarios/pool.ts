/** What a filter in the pool adds to the latency of requests, over the same proxy without it, per round. */
import { type ClosedResult, runLoad } from '../load.js'
import { addedLatency, LOAD, p99WhenCalm } from './latency.js'
import type { Scenario } from './scenario.js'

const WARM_UP = { connections: 16, seconds: 20, requests: 10_000, path: '/pool' }

export const pool: Scenario = {
  name: 'pool-1k',
  summary: 'latency that a filter in the pool adds at 1,000 requests/s, open loop, 1 KiB answers',
  ...addedLatency,
  takesPart: ({ name }) => name === 'weft',
  measure: async (rig, proxy, seconds) => {
    // The pool's threads are there to run beside the traffic thread: they get all cores.
    const running = await rig.start({ ...proxy, template: 'weft-pool.yaml' }, 'unpinned')
    try {
      await rig.warmUp(running)
      await runLoad<ClosedResult>(rig.load, 'closed', { addr: running.address, ...WARM_UP })
      const through = (path: string) => rig.openLoad({ addr: running.address, seconds, path, ...LOAD })
      const plain = await through('/')
      const pooled = await through('/pool')
      return {
        addedP50Micros: pooled.p50_us - plain.p50_us,
        addedP99Micros: p99WhenCalm(pooled) - p99WhenCalm(plain),
        latePercent: (100 * pooled.late_sends) / pooled.requests,
      }
    } finally {
      await running.end()
    }
  },
}
