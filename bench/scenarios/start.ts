/** From the command's start to its first answered request, on all cores, everything built. */
import type { Scenario } from './scenario.js'

export const start: Scenario = {
  name: 'start',
  summary: 'from the start of the command to its first answered request',
  metrics: [{ name: 'startMillis', title: 'ms', digits: 0 }],
  full: { rounds: 9, seconds: 0 },
  quick: { rounds: 5, seconds: 0 },
  weftOnlyWhenQuick: false,
  measure: async (rig, proxy) => {
    const running = await rig.start(proxy, 'unpinned')
    await running.end()
    return { startMillis: running.startMillis }
  },
}
