/** CPU per request under a closed loop: the proxy's own cost, whatever the generator is able to offer. */
import { type ClosedResult, runLoad } from '../load.js'
import { cpuSeconds } from '../processes.js'
import type { Extent, Scenario } from './scenario.js'

interface CpuOptions {
  readonly name: string
  readonly summary: string
  /** Kept alive. */
  readonly connections?: number
  /** Of each answer. */
  readonly bytes?: number
  /** Templates of this scenario's own, by the name of the proxy. */
  readonly templates?: Readonly<Record<string, string>>
  readonly quick?: Extent
}

function cpuPerRequest({
  name,
  summary,
  connections = 64,
  bytes = 1024,
  templates = {},
  quick = { rounds: 3, seconds: 2 },
}: CpuOptions): Scenario {
  return {
    name,
    summary,
    metrics: [
      { name: 'cpuMicros', title: 'CPU µs/request', digits: 1 },
      { name: 'requestsPerSecond', title: 'requests/s', digits: 0 },
    ],
    full: { rounds: 5, seconds: 8 },
    quick,
    weftOnlyWhenQuick: false,
    measure: async (rig, proxy, seconds) => {
      const running = await rig.kept({ ...proxy, template: templates[proxy.name] ?? proxy.template })
      const options = { addr: running.address, connections, seconds, path: `/bytes/${bytes}`, bytes }
      const before = cpuSeconds(running.pid)
      const result = await runLoad<ClosedResult>(rig.load, 'closed', options)
      const cpu = cpuSeconds(running.pid) - before
      return { cpuMicros: (cpu * 1e6) / result.requests, requestsPerSecond: result.rps }
    },
  }
}

export const h1Small = cpuPerRequest({
  name: 'h1-1k',
  summary: 'HTTP/1.1 to HTTP/1.1, 1 KiB answers, 64 keep-alive connections',
})

export const h1SmallFew = cpuPerRequest({
  name: 'h1-1k-8',
  summary: 'the same with 8 connections',
  connections: 8,
  quick: { rounds: 3, seconds: 1.5 },
})

export const h1Big = cpuPerRequest({
  name: 'h1-64k',
  summary: '64 KiB answers, 64 keep-alive connections',
  bytes: 65536,
})

export const pipeline = cpuPerRequest({
  name: 'pipeline-1k',
  summary: 'the whole pipeline: routes, rate limit, retries, breaker, JSON log; Envoy as a sidecar runs it',
  templates: { weft: 'weft-pipeline.yaml', 'weft-agent': 'weft-pipeline.yaml', envoy: 'envoy-sidecar.yaml' },
})

export const filter = cpuPerRequest({
  name: 'filter-1k',
  summary: 'h1-1k with one filter in TypeScript, in place, that reads a header and sets another',
  templates: { weft: 'weft-filter.yaml' },
})

export const uws = cpuPerRequest({
  name: 'uws-1k',
  summary: 'h1-1k behind a door of uWebSockets.js',
  templates: { weft: 'weft-uws.yaml' },
})

export const uwsFilter = cpuPerRequest({
  name: 'uws-filter-1k',
  summary: 'the same with one filter in TypeScript, in place',
  templates: { weft: 'weft-uws-filter.yaml' },
})
