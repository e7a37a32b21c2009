// An addon without an engine, for tests of the process around it: WEFT_ADDON names this file. Each thread has its own
// copy, so heartbeats simply count the questions. A path in WEFT_FAKE_REJECT makes `apply` refuse while it exists.
const { existsSync } = require('node:fs')

let generation = 0
let beats = 0

module.exports = {
  createProxy: () => 1,
  apply() {
    const flag = process.env.WEFT_FAKE_REJECT
    if (flag !== undefined && existsSync(flag)) {
      const rejected = [{ path: 'listeners[0].address', code: 'WEFT_LISTENER_IN_USE', message: 'address already in use' }]
      return JSON.stringify({ generation, rejected })
    }
    generation += 1
    return JSON.stringify({ generation, rejected: [] })
  },
  check: () => '[]',
  attach() {},
  stopAccepting() {},
  active: () => 0,
  stats: () =>
    JSON.stringify({
      generation,
      counters: {},
      descriptions: [],
      durationBoundsMs: [],
      series: [],
      workers: [],
      clusters: [],
      filters: [],
      faults: [],
      mirrors: [],
      switches: [],
    }),
  heartbeats() {
    beats += 1
    return [beats, beats, beats, beats]
  },
  panics: () => [],
  events: () => '',
  shortages: () => '[]',
  switches: () => '[]',
  detach() {},
  flushLogs: () => true,
  closeProxy() {},
  version: () => 'fake',
}
