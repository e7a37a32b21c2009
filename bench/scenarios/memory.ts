/** Private memory of a fresh proxy, and after a million requests. */
import { type ClosedResult, runLoad } from '../load.js'
import { memoryOf } from '../processes.js'
import type { Scenario } from './scenario.js'

const LOAD = { connections: 64, requests: 1_000_000, seconds: 300 }

export const memory: Scenario = {
  name: 'memory',
  summary: 'private memory (RssAnon) after the first answer, and after 1,000,000 requests on 64 connections',
  metrics: [
    { name: 'idleMib', title: 'MiB idle', digits: 1 },
    { name: 'loadedMib', title: 'MiB after load', digits: 1 },
    { name: 'loadedPssMib', title: 'PSS MiB after load', digits: 1 },
  ],
  full: { rounds: 1, seconds: 0 },
  quick: { rounds: 1, seconds: 0 },
  weftOnlyWhenQuick: true,
  measure: async (rig, proxy) => {
    const running = await rig.start(proxy)
    try {
      const idle = memoryOf(running.pid)
      const result = await runLoad<ClosedResult>(rig.load, 'closed', { addr: running.address, ...LOAD })
      if (result.requests < LOAD.requests) throw new Error(`only ${result.requests} requests in ${LOAD.seconds} s`)
      const loaded = memoryOf(running.pid)
      return { idleMib: idle.anonKib / 1024, loadedMib: loaded.anonKib / 1024, loadedPssMib: loaded.pssKib / 1024 }
    } finally {
      await running.end()
    }
  },
}
