/** What all of traffic management costs: CPU per request with everything of it configured, over the same with none. */
import { type ClosedResult, LOAD_CORE, runLoad } from '../load.js'
import { cpuSeconds, endProcess, type Running, said, startProcess } from '../processes.js'
import type { Rig, RunningProxy } from '../rig.js'
import type { Scenario } from './scenario.js'

const START_MS = 5_000
const LOAD = { connections: 64, path: '/bytes/1024', bytes: 1024 }

export const traffic: Scenario = {
  name: 'traffic-1k',
  summary: 'h1-1k with all of traffic management on, over weft.yaml in the same round',
  metrics: [
    { name: 'ratio', title: 'CPU over minimal', digits: 2 },
    { name: 'cpuMicros', title: 'CPU µs/request', digits: 1 },
  ],
  full: { rounds: 5, seconds: 8 },
  quick: { rounds: 3, seconds: 2 },
  weftOnlyWhenQuick: false,
  takesPart: ({ name }) => name === 'weft',
  measure: async (rig, proxy, seconds) => {
    const others = await startOthers(rig)
    try {
      const minimal = await cost(
        rig,
        await rig.kept({ ...proxy, name: 'weft minimal', template: 'weft.yaml' }),
        seconds,
      )
      const full = await cost(rig, await rig.kept({ ...proxy, template: 'weft-traffic.yaml' }), seconds)
      return { ratio: full / minimal, cpuMicros: full }
    } finally {
      await Promise.all(others.map(endProcess))
    }
  },
}

/** The other version and the other region: the same upstream at addresses of their own. */
async function startOthers({ load, upstreamAddress }: Rig): Promise<Running[]> {
  const port = upstreamAddress.slice(upstreamAddress.lastIndexOf(':') + 1)
  const hosts = ['127.0.0.2', '127.0.0.3']
  const others = hosts.map((host) => startProcess([load, 'upstream', '--host', host, '--port', port], LOAD_CORE))
  for (const other of others) await said(other, /listening/, START_MS)
  return others
}

async function cost(rig: Rig, { address, pid }: RunningProxy, seconds: number): Promise<number> {
  const before = cpuSeconds(pid)
  const { requests } = await runLoad<ClosedResult>(rig.load, 'closed', { addr: address, seconds, ...LOAD })
  return ((cpuSeconds(pid) - before) * 1e6) / requests
}
