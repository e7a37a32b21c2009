/** The registry over an embedded store, with a clock in our hand. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { HealthChecker } from '../../../../src/control/registry/health-checker.js'
import { registration } from '../../../../src/control/registry/registration.js'
import { Registry } from '../../../../src/control/registry/registry.js'
import { createMeshSource } from '../../../../src/control/state/mesh-state.js'
import { openEmbeddedStore } from '../../../../src/control/store/embedded.js'
import type { Store } from '../../../../src/control/store/store.js'
import { removeScratch, scratchFolder } from '../../../kit/scratch.js'

const ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  removeScratch()
})

class Bench {
  nowMs = 0
  said: string[] = []
  readonly folder = scratchFolder()
  store!: Store
  registry!: Registry

  async open(): Promise<this> {
    this.store = await openEmbeddedStore({ folder: this.folder, nowMs: Date.now })
    this.registry = new Registry({ store: this.store, nowMs: () => this.nowMs, say: (text) => this.said.push(text) })
    ends.push(() => this.close())
    return this
  }

  async close(): Promise<void> {
    this.registry.close()
    await this.store.close()
  }

  register(service: string, id: string, more: object = {}) {
    return this.registry.register(registration.parse({ service, id, port: 9080, ...more }), '127.0.0.9', 'test')
  }

  beat(service: string, id: string, epoch?: number, health?: 'healthy' | 'unhealthy' | 'draining') {
    return this.registry.heartbeat({ namespace: 'default', service, id }, epoch, health, 'test')
  }

  workloads() {
    const source = createMeshSource(this.store)
    source.close()
    return source.current().workloads
  }
}

const bench = () => new Bench().open()

describe('the registry', () => {
  it('shows a workload with everything that it said, and fills in what it did not say', async () => {
    const b = await bench()
    await b.register('reviews', 'r1', {
      version: 'v2',
      zone: 'east-a',
      labels: { tier: 'web' },
      ports: { admin: 9090 },
    })
    expect(b.workloads()).toEqual([
      {
        ...{
          id: 'r1',
          namespace: 'default',
          service: 'reviews',
          address: '127.0.0.9',
          port: 9080,
          ports: { admin: 9090 },
        },
        ...{ labels: { app: 'reviews', tier: 'web', version: 'v2' }, region: '', zone: 'east-a', weight: 1, epoch: 1 },
        ...{ serviceAccount: 'default', health: 'healthy', stale: false },
      },
    ])
  })

  it('names a workload by its address when it has no id', async () => {
    const b = await bench()
    const kept = await b.registry.register(registration.parse({ service: 's', port: 80, address: '::1' }), '', 'test')
    expect(kept.id).toBe('::1:80')
    await b.beat('s', kept.id, kept.epoch)
  })

  it('does not commit a heartbeat that changes nothing', async () => {
    const b = await bench()
    const { epoch } = await b.register('reviews', 'r1')
    const before = b.store.revision()
    for (let n = 0; n < 10; n += 1) await b.beat('reviews', 'r1', epoch)
    expect(b.store.revision()).toBe(before)
    await b.beat('reviews', 'r1', epoch, 'draining')
    expect([b.store.revision(), b.workloads()[0]?.health]).toEqual([before + 1, 'draining'])
  })

  it('refuses news of a former life', async () => {
    const b = await bench()
    const first = await b.register('reviews', 'r1')
    const second = await b.register('reviews', 'r1')
    expect(second.epoch).toBeGreaterThan(first.epoch)
    const which = { namespace: 'default', service: 'reviews', id: 'r1' }
    await expect(b.beat('reviews', 'r1', first.epoch)).rejects.toMatchObject({ code: 'WEFT_REGISTRY_EPOCH' })
    await expect(b.registry.deregister(which, first.epoch, 'test')).rejects.toMatchObject({
      code: 'WEFT_REGISTRY_EPOCH',
    })
    await b.registry.deregister(which, second.epoch, 'test')
    await expect(b.beat('reviews', 'r1', second.epoch)).rejects.toMatchObject({ code: 'WEFT_REGISTRY_UNKNOWN' })
    expect((await b.register('reviews', 'r1')).epoch).toBeGreaterThan(second.epoch)
  })

  it('gives each of many registrations at once an epoch, and one of the same id the last word', async () => {
    const b = await bench()
    const all = await Promise.all(Array.from({ length: 20 }, () => b.register('reviews', 'r1')))
    expect(new Set(all.map(({ epoch }) => epoch)).size).toBe(20)
    expect(b.workloads()[0]?.epoch).toBe(Math.max(...all.map(({ epoch }) => epoch)))
  })

  it('evicts who is silent for longer than its ttl, and says so', async () => {
    const b = await bench()
    for (let n = 0; n < 5; n += 1) await b.register('reviews', `r${n}`, { ttl: '10s' })
    b.nowMs = 9_000
    for (const n of [0, 1, 2, 3]) await b.beat('reviews', `r${n}`)
    b.nowMs = 10_000
    await b.registry.sweep()
    expect(b.workloads().map(({ id }) => id)).toEqual(['r0', 'r1', 'r2', 'r3'])
    expect(b.said).toEqual(['default/reviews:r4 is silent: evicted'])
  })

  it('holds eviction back when too many are silent, says so, and takes them back when they are heard of', async () => {
    const b = await bench()
    for (let n = 0; n < 10; n += 1) await b.register('reviews', `r${n}`, { ttl: '10s' })
    b.nowMs = 10_000
    for (let n = 0; n < 5; n += 1) await b.beat('reviews', `r${n}`)
    await b.registry.sweep()
    expect(b.registry.status()).toEqual({ services: 1, workloads: 10, stale: 5, held: { silent: 5, allowed: 2 } })
    expect(b.said[0]).toBe('5 workloads are silent at once, more than 2: none is evicted')
    for (let n = 5; n < 9; n += 1) await b.beat('reviews', `r${n}`)
    await b.registry.sweep()
    expect(b.registry.status()).toEqual({ services: 1, workloads: 9, stale: 0, held: null })
    expect(b.said).toContain('eviction goes on')
  })

  it('never empties a service', async () => {
    const b = await bench()
    await b.register('reviews', 'r1')
    b.nowMs = 1e9
    await b.registry.sweep()
    await b.registry.sweep()
    expect(b.workloads()).toMatchObject([{ id: 'r1', stale: true }])
    expect(b.said).toEqual(['default/reviews:r1 is silent: kept, marked stale'])
  })

  it('knows everybody after a restart and gives all a full period to be heard of', async () => {
    const b = await bench()
    for (let n = 0; n < 3; n += 1) await b.register('reviews', `r${n}`, { ttl: '10s' })
    const before = b.workloads()
    await b.close()
    ends.pop()
    b.nowMs = 1e6
    await b.open()
    expect(b.workloads()).toEqual(before)
    await b.registry.sweep()
    expect(b.registry.status()).toMatchObject({ workloads: 3, stale: 0 })
    b.nowMs += 10_000
    await b.beat('reviews', 'r0')
    await b.beat('reviews', 'r1')
    await b.registry.sweep()
    expect(b.workloads().map(({ id }) => id)).toEqual(['r0', 'r1'])
  })
})

describe('the look from outside', () => {
  /** Resolves when the workload has the health. */
  function becomes(store: Store, health: string): Promise<void> {
    return new Promise((resolve) => {
      const source = createMeshSource(store)
      const look = () => {
        if (source.current().workloads[0]?.health !== health) return
        source.close()
        resolve()
      }
      source.onChange(look)
      look()
    })
  }

  async function listen(status: () => number): Promise<{ server: Server; port: number }> {
    const server = createServer((_, response) => response.writeHead(status()).end()).listen(0, '127.0.0.1')
    await new Promise<void>((resolve) => server.once('listening', () => resolve()))
    ends.push(() => new Promise((resolve) => void server.close(() => resolve())))
    return { server, port: (server.address() as { port: number }).port }
  }

  it('finds a workload unhealthy after its threshold and healthy again after its threshold, over HTTP', async () => {
    const b = await bench()
    let status = 200
    const { port } = await listen(() => status)
    const check = {
      http: { path: '/health', port },
      interval: '1s',
      timeout: '500ms',
      healthyThreshold: 1,
      unhealthyThreshold: 1,
    }
    await b.register('reviews', 'r1', { address: '127.0.0.1', check })
    const checker = new HealthChecker({ store: b.store, registry: b.registry, random: () => 0 })
    ends.push(() => checker.close())
    status = 503
    await becomes(b.store, 'unhealthy')
    status = 204
    await becomes(b.store, 'healthy')
  })

  it('finds a workload unhealthy that answers 404, and healthy when it redirects', async () => {
    const b = await bench()
    let status = 404
    const { port } = await listen(() => status)
    const check = {
      http: { path: '/health', port },
      ...{ interval: '1s', timeout: '900ms', healthyThreshold: 1, unhealthyThreshold: 1 },
    }
    await b.register('reviews', 'r1', { address: '127.0.0.1', check })
    const checker = new HealthChecker({ store: b.store, registry: b.registry, random: () => 0 })
    ends.push(() => checker.close())
    await becomes(b.store, 'unhealthy')
    status = 302
    await becomes(b.store, 'healthy')
  })

  it('finds a workload unhealthy that takes the connection and never answers', async () => {
    const b = await bench()
    const held: ServerResponse[] = []
    const server = createServer((_, response) => void held.push(response)).listen(0, '127.0.0.1')
    await new Promise<void>((resolve) => server.once('listening', () => resolve()))
    ends.push(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as { port: number }
    const check = { http: { path: '/' }, timeout: '100ms', unhealthyThreshold: 1 }
    await b.register('reviews', 'r1', { address: '127.0.0.1', port, check })
    const checker = new HealthChecker({ store: b.store, registry: b.registry, random: () => 0 })
    ends.push(() => checker.close())
    await becomes(b.store, 'unhealthy')
    expect(held).toHaveLength(1)
  })

  it('finds a closed port over TCP, and begins with a workload that registers later', async () => {
    const b = await bench()
    const checker = new HealthChecker({ store: b.store, registry: b.registry, random: () => 0 })
    ends.push(() => checker.close())
    await b.register('reviews', 'r1', { address: '127.0.0.1', port: 1, check: { tcp: {}, unhealthyThreshold: 1 } })
    await becomes(b.store, 'unhealthy')
  })

  it('counts equal looks in a row', async () => {
    const b = await bench()
    const looks = [false, false, true, false, false, false]
    let seen = 0
    const check = { tcp: {}, interval: '1s', unhealthyThreshold: 3 }
    await b.register('reviews', 'r1', { check })
    const checker = new HealthChecker({
      ...{ store: b.store, registry: b.registry, random: () => 0 },
      // Each look at once after the one before.
      probe: async () => looks[seen++] ?? false,
    })
    ends.push(() => checker.close())
    const real = globalThis.setTimeout
    globalThis.setTimeout = ((run: () => void) => real(run, 0)) as typeof setTimeout
    try {
      await becomes(b.store, 'unhealthy')
    } finally {
      globalThis.setTimeout = real
    }
    expect(seen).toBe(6)
  })
})
