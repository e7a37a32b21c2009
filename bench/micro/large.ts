/** A configuration of 10,000 routes and 10,000 endpoints on its way into the engine: in its steps and as a whole. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadAddon } from '../../src/native/index.js'
import { encodeEndpointUpdate } from '../../src/proxy/encode-snapshot.js'
import { prepareConfig, prepareFile } from '../../src/proxy/prepare.js'
import type { MicroBench } from './micro-bench.js'

const size = 10_000
const clusters = 1_000

/** `turn` makes it another configuration each time: what is the same again is not applied. */
export function large(turn: number) {
  return {
    node: { id: `turn-${turn}` },
    listeners: [{ name: 'edge', address: '127.0.0.1:0' }],
    routes: Array.from({ length: size }, (_, at) => ({
      name: `route-${at}`,
      hosts: [`host-${at}.example`],
      forward: [{ cluster: `cluster-${at % clusters}` }],
    })),
    clusters: Array.from({ length: clusters }, (_, at) => ({
      name: `cluster-${at}`,
      endpoints: Array.from({ length: size / clusters }, (_, of) => ({
        address: `10.${turn % 2}.${at % 250}.${of + 1}:${9000 + Math.floor(at / 250)}`,
        weight: 1 + (of % 3),
      })),
    })),
  }
}

const endpointOf = (at: number) => ({
  address: `10.1.${Math.floor(at / 250)}.${1 + (at % 250)}:80`,
  weight: 1,
  region: '',
  zone: '',
  priority: 0,
  labels: {},
})

async function engine() {
  if (!existsSync('dist/weft.node')) return null
  const addon = loadAddon()
  return { addon, proxy: addon.createProxy('bench', 1) }
}

export const largeBenches: readonly MicroBench[] = [
  {
    name: 'apply 10,000 routes and endpoints, all changed',
    mustMicros: 300_000,
    prepare: async () => {
      const started = await engine()
      if (started === null) return null
      const snapshots = [await prepareConfig(large(0)), await prepareConfig(large(1))].map(({ snapshot }) =>
        Buffer.from(snapshot),
      )
      let turn = 0
      return () => {
        turn += 1
        const verdict = JSON.parse(started.addon.apply(started.proxy, snapshots[turn % 2] as Buffer))
        if (verdict.rejected.length > 0 || verdict.unchanged) throw new Error(JSON.stringify(verdict).slice(0, 300))
      }
    },
  },
  {
    name: 'apply 10,000 routes and endpoints, unchanged',
    mustMicros: 5_000,
    prepare: async () => {
      const started = await engine()
      if (started === null) return null
      const snapshot = Buffer.from((await prepareConfig(large(0))).snapshot)
      started.addon.apply(started.proxy, snapshot)
      return () => started.addon.apply(started.proxy, snapshot)
    },
  },
  {
    name: 'from YAML: 10,000 routes and endpoints, prepared and applied',
    mustMicros: 600_000,
    prepare: async () => {
      const started = await engine()
      if (started === null) return null
      const { stringify } = await import('yaml')
      const folder = mkdtempSync(join(tmpdir(), 'weft-bench-'))
      process.once('exit', () => rmSync(folder, { recursive: true }))
      const files = [0, 1].map((turn) => join(folder, `${turn}.yaml`))
      for (const [turn, file] of files.entries()) writeFileSync(file, stringify(large(turn)))
      let turn = 0
      return async () => {
        turn += 1
        const { snapshot } = await prepareFile(files[turn % 2] as string)
        const verdict = JSON.parse(started.addon.apply(started.proxy, Buffer.from(snapshot)))
        if (verdict.rejected.length > 0 || verdict.unchanged) throw new Error(JSON.stringify(verdict).slice(0, 300))
      }
    },
  },
  {
    name: 'one endpoint of 10,000 changes',
    // 100 a second are 5 % of a core.
    mustMicros: 500,
    prepare: async () => {
      const started = await engine()
      if (started === null) return null
      const all = Array.from({ length: size }, (_, at) => endpointOf(at))
      const cluster = { name: 'app', endpoints: [{ address: '10.0.0.1:80' }] }
      const { snapshot } = await prepareConfig({ ...large(0), routes: [], clusters: [cluster] })
      started.addon.apply(started.proxy, Buffer.from(snapshot))
      const update = (endpoints: typeof all, removed: string[], complete = false) => {
        const bytes = encodeEndpointUpdate({ cluster: 'app', endpoints, removed, complete })
        const verdict = JSON.parse(started.addon.updateEndpoints(started.proxy, bytes))
        if (verdict.rejected.length > 0) throw new Error(JSON.stringify(verdict))
      }
      update(all, [], true)
      let turn = 0
      return () => {
        turn += 1
        const known = endpointOf(turn % size)
        update([{ ...known, weight: 1 + (turn % 7) }], [])
      }
    },
  },
]
