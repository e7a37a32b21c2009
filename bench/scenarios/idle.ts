/** Private memory of an idle client connection: 9,000 that completed one request each, against none. */
import { type IdleResult, runLoad } from '../load.js'
import { memoryOf } from '../processes.js'
import { median } from '../statistics.js'
import type { Scenario } from './scenario.js'

const CONNECTIONS = 9000
const SAMPLE_EVERY_MS = 100

export const idle: Scenario = {
  name: 'idle-9000',
  summary: '9,000 idle keep-alive client connections, growth of private memory without the kernel’s part',
  metrics: [{ name: 'perConnectionKib', title: 'KiB/connection', digits: 2 }],
  full: { rounds: 3, seconds: 3 },
  quick: { rounds: 1, seconds: 1 },
  weftOnlyWhenQuick: false,
  measure: async (rig, proxy, seconds) => {
    // Fresh each time: memory given back to the allocator would hide what the next connections need.
    const running = await rig.start(proxy)
    try {
      await rig.warmUp(running)
      const before = memoryOf(running.pid).anonKib
      const holding: number[] = []
      let sampling: NodeJS.Timeout | undefined
      const options = { addr: running.address, connections: CONNECTIONS, hold: seconds }
      const onHolding = () => {
        sampling = setInterval(() => holding.push(memoryOf(running.pid).anonKib), SAMPLE_EVERY_MS)
      }
      const held = runLoad<IdleResult>(rig.load, 'idle', options, { onHolding })
      const result = await held.finally(() => clearInterval(sampling))
      if (result.open < CONNECTIONS) throw new Error(`${CONNECTIONS - result.open} idle connections were closed`)
      return { perConnectionKib: (median(holding) - before) / CONNECTIONS }
    } finally {
      await running.end()
    }
  },
}
