/** Added latency at a fixed rate, counted from the intended send time: through the proxy minus direct, per round. */
import { type OpenResult, runLoad } from '../load.js'
import type { Scenario } from './scenario.js'

const LOAD = { connections: 16, rate: 1000 }

export const latency: Scenario = {
  name: 'latency-1k',
  summary: 'latency added at 1,000 requests/s, open loop, 1 KiB answers',
  metrics: [
    { name: 'addedP50Micros', title: 'added p50 µs', digits: 0 },
    { name: 'addedP99Micros', title: 'added p99 µs', digits: 0 },
    { name: 'lateSends', title: 'sends over 1 ms late', digits: 0 },
  ],
  full: { rounds: 5, seconds: 8 },
  quick: { rounds: 3, seconds: 3 },
  weftOnlyWhenQuick: false,
  baseline: async (rig, seconds) => {
    const direct = await runLoad<OpenResult>(rig.load, 'open', { addr: rig.upstreamAddress, seconds, ...LOAD })
    return { p50: direct.p50_us, p99: direct.p99_us }
  },
  measure: async (rig, proxy, seconds, direct) => {
    const running = await rig.kept(proxy)
    const through = await runLoad<OpenResult>(rig.load, 'open', { addr: running.address, seconds, ...LOAD })
    return {
      addedP50Micros: through.p50_us - (direct.p50 ?? 0),
      addedP99Micros: through.p99_us - (direct.p99 ?? 0),
      lateSends: through.late_sends,
    }
  },
}
