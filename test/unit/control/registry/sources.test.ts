/** Workloads that come from a file or from DNS, over an embedded store. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { keptOf, registration, workloadKind } from '../../../../src/control/registry/registration.js'
import { Registry } from '../../../../src/control/registry/registry.js'
import { dnsSource } from '../../../../src/control/registry/sources/dns-source.js'
import { followSources } from '../../../../src/control/registry/sources/follow-sources.js'
import { openEmbeddedStore } from '../../../../src/control/store/embedded.js'
import type { Store } from '../../../../src/control/store/store.js'
import { removeScratch, scratchFolder } from '../../../kit/scratch.js'

const ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  removeScratch()
})

async function start() {
  const folder = scratchFolder()
  const store = await openEmbeddedStore({ folder: join(folder, 'store'), nowMs: Date.now })
  ends.push(() => store.close())
  const registry = new Registry({ store, nowMs: () => 1e12, say: () => {} })
  ends.push(() => registry.close())
  return { folder, store, registry }
}

const ids = (store: Store) => store.list({ kind: workloadKind }).map((entry) => keptOf(entry).id)

/** Resolves when the ids are these. */
function become(store: Store, wanted: string[]): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (ids(store).join() !== wanted.join()) return
      setImmediate(() => end())
      resolve()
    }
    const end = store.watch(store.revision() + 1, look)
    look()
  })
}

describe('a file of workloads', () => {
  it('is followed through changes and renames, and what makes no sense or is empty takes nobody away', async () => {
    const { folder, store, registry } = await start()
    const path = join(folder, 'reviews.yaml')
    const said: string[] = []
    let heard: () => void = () => {}
    const next = () =>
      new Promise<void>((resolve) => {
        heard = resolve
      })
    const say = (text: string) => {
      said.push(text)
      heard()
    }
    writeFileSync(path, '- 127.0.0.1:9080\n- { address: "[::1]:9081", version: v2, zone: east-b, weight: 3 }\n')
    const sources = [{ service: 'reviews', namespace: 'default', file: { path } }]
    ends.push(followSources({ store, registry, sources, say }))
    await become(store, ['127.0.0.1:9080', '::1:9081'])
    expect(store.list({ kind: workloadKind })[1]).toMatchObject({
      changedBy: 'file reviews.yaml',
      value: { address: '::1', port: 9081, labels: { app: 'reviews', version: 'v2' }, zone: 'east-b', weight: 3 },
    })
    writeFileSync(`${path}.new`, '- 127.0.0.1:9080\n- { address: 127.0.0.1, port: 9082 }\n')
    renameSync(`${path}.new`, path)
    await become(store, ['127.0.0.1:9080', '127.0.0.1:9082'])
    const before = store.revision()
    for (const [text, reason] of [
      ['', 'it is no list'],
      ['[]', 'it is empty'],
      ['- nowhere:1', 'names are not resolved'],
      ['- { address: 127.0.0.1, port: 9083, colour: red }', '`colour` is not a known key'],
      ['- [', 'reviews.yaml:1'],
    ] as const) {
      const saying = next()
      writeFileSync(path, text)
      await saying
      expect(said.at(-1)).toContain(reason)
      expect(said.at(-1)).toContain('reviews keeps what it has')
    }
    const gone = next()
    rmSync(path)
    await gone
    expect([store.revision(), said.at(-1)]).toEqual([before, expect.stringContaining('ENOENT')])
  })

  it('is put in its place by what registered over the API, and is not evicted', async () => {
    const { store, registry } = await start()
    await registry.register(registration.parse({ service: 's', port: 80, address: '127.0.0.1' }), '', 'somebody')
    const workloads = ['127.0.0.1', '127.0.0.2'].map((address) =>
      registration.parse({ service: 's', port: 80, address }),
    )
    await registry.sync({ source: 'file x', service: 's', namespace: 'default', workloads })
    expect(store.list({ kind: workloadKind }).map(({ changedBy }) => changedBy)).toEqual(['somebody', 'file x'])
    const before = store.revision()
    await registry.sync({ source: 'file x', service: 's', namespace: 'default', workloads })
    expect(store.revision()).toBe(before)
  })

  it('of any length comes through in several commits', async () => {
    const { store, registry } = await start()
    const workloads = Array.from({ length: 250 }, (_, n) =>
      registration.parse({ service: 's', port: 80, address: `10.0.0.${n}` }),
    )
    await registry.sync({ source: 'file x', service: 's', namespace: 'default', workloads })
    expect([ids(store).length, store.revision()]).toEqual([250, 3])
    await registry.sync({ source: 'file x', service: 's', namespace: 'default', workloads: workloads.slice(0, 1) })
    expect(ids(store)).toEqual(['10.0.0.0:80'])
  })
})

describe('a name in DNS', () => {
  it('gives a workload per address, is asked again, and takes nobody away when it is not answered', async () => {
    const answers = [
      [{ address: '10.0.0.2' }, { address: '10.0.0.1' }, { address: '10.0.0.1' }],
      null,
      [{ address: '10.0.0.3' }],
    ]
    const seen: unknown[] = []
    await new Promise<void>((resolve) => {
      const ask = async () => {
        const answer = answers.shift()
        if (answer === null || answer === undefined) throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
        return answer
      }
      const source = dnsSource('s', 'default', { name: 'reviews.internal', port: 80, refresh: 1 }, ask)
      const stop = source.follow({
        failed: (reason) => seen.push(reason),
        workloads(workloads) {
          seen.push(workloads.map(({ address, port }) => `${address}:${port}`))
          if (answers.length > 0) return
          stop()
          resolve()
        },
      })
    })
    expect(seen).toEqual([['10.0.0.1:80', '10.0.0.2:80'], 'reviews.internal: ENOTFOUND', ['10.0.0.3:80']])
  })

  it('is asked of the system', async () => {
    const { store, registry } = await start()
    const dns = { name: 'localhost', port: 80, refresh: 60_000 }
    const sources = [{ service: 's', namespace: 'default', dns }]
    ends.push(followSources({ store, registry, sources, say: () => {} }))
    await new Promise<void>((resolve) => store.watch(1, () => resolve()))
    expect(ids(store)).toContain('127.0.0.1:80')
  })
})
