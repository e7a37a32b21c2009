/** Added latency at a fixed rate, counted from the intended send time: through the proxy minus direct, per round. */
import type { OpenResult } from '../load.js'
import type { Scenario } from './scenario.js'

export const LOAD = { connections: 16, rate: 1000 }
/** When more of the sends left late by the machine's fault, the 99th percentile is the machine's and not the proxy's. */
const MAX_LATE_SHARE = 0.005

/** What scenarios of added latency have in common. */
export const addedLatency = {
  metrics: [
    { name: 'addedP50Micros', title: 'added p50 µs', digits: 0 },
    { name: 'addedP99Micros', title: 'added p99 µs', digits: 0 },
    { name: 'latePercent', title: '% sent late', digits: 2 },
  ],
  full: { rounds: 5, seconds: 8 },
  quick: { rounds: 3, seconds: 3 },
  weftOnlyWhenQuick: false,
} as const

export const latency: Scenario = {
  name: 'latency-1k',
  summary: 'latency added at 1,000 requests/s, open loop, 1 KiB answers',
  ...addedLatency,
  baseline: async (rig, seconds) => {
    const direct = await rig.openLoad({ addr: rig.upstreamAddress, seconds, ...LOAD })
    return { p50: direct.p50_us, p99: p99WhenCalm(direct) }
  },
  measure: async (rig, proxy, seconds, direct) => {
    const running = await rig.kept(proxy)
    const through = await rig.openLoad({ addr: running.address, seconds, ...LOAD })
    return {
      addedP50Micros: through.p50_us - (direct.p50 ?? Number.NaN),
      addedP99Micros: p99WhenCalm(through) - (direct.p99 ?? Number.NaN),
      latePercent: (100 * through.late_sends) / through.requests,
    }
  },
}

export function p99WhenCalm({ p99_us, late_sends, requests }: OpenResult): number {
  return late_sends > requests * MAX_LATE_SHARE ? Number.NaN : p99_us
}
