/** `startProxy` in a program: on its loop, several at once, changed, drained and closed. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import * as hdr from 'hdr-histogram-js'
import { Agent, request } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import type { ProxyConfig, WeftProxy } from '../../../src/index.js'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { builtPackage } from '../../kit/package.js'

const { startProxy } = await builtPackage()
const started: WeftProxy[] = []
const agents: Agent[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((proxy) => proxy.close()))
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()))
  await closeUpstreams()
})

function configOf(endpoint: string, more: object = {}, address = '127.0.0.1:0'): ProxyConfig {
  return {
    listeners: [{ name: 'edge', address, limits: { maxConnections: 100 } }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }], ...more }],
    clusters: [{ name: 'app', endpoints: [endpoint] }],
  }
}

async function start(...args: Parameters<typeof startProxy>): Promise<WeftProxy> {
  const proxy = await startProxy(...args)
  started.push(proxy)
  return proxy
}

function urlOf(proxy: WeftProxy): string {
  const { host, port } = proxy.address('edge')
  return `http://${host}:${port}`
}

function client(): Agent {
  const agent = new Agent({ connections: 8 })
  agents.push(agent)
  return agent
}

async function statusOf(url: string, dispatcher = client()): Promise<number> {
  const { statusCode, body } = await request(url, { dispatcher })
  await body.dump()
  return statusCode
}

/** Eight clients that ask until they are stopped; what they got by status, and how often they got nothing. */
function load(url: string) {
  const dispatcher = client()
  const counts = { answers: 0, failures: 0 }
  let going = true
  const ask = async () => {
    while (going) {
      const status = await statusOf(url, dispatcher).catch(() => 0)
      counts[status === 200 ? 'answers' : 'failures'] += 1
    }
  }
  const clients = Array.from({ length: 8 }, ask)
  return {
    counts,
    stop: async () => {
      going = false
      await Promise.all(clients)
    },
  }
}

describe.each([
  ['on the loop of its caller', {}],
  ['on threads', { workers: 2 }],
])('a proxy %s', (_, options) => {
  it('tells exact counts by name, and durations as a histogram that hdr-histogram-js reads', async () => {
    const upstream = await Upstream.start()
    const proxy = await start(configOf(upstream.address), options)
    const dispatcher = client()
    for (let i = 0; i < 30; i += 1) await statusOf(`${urlOf(proxy)}/status/${i < 20 ? 200 : 404}`, dispatcher)
    const { clusters, routes, listeners } = proxy.stats()
    expect(clusters.app).toMatchObject({ requests: 30, statuses: { 200: 20, 404: 10 } })
    expect(clusters.app?.endpoints[upstream.address]).toMatchObject({ requests: 30, failures: 0, healthy: true })
    expect([routes.all?.requests, listeners.edge?.requests]).toEqual([30, 30])
    const { count, p50Us, hdr: encoded } = clusters.app?.latency ?? {}
    const histogram = hdr.decodeFromCompressedBase64(encoded ?? '')
    expect([count, histogram.totalCount]).toEqual([30, 30])
    expect(Math.abs(histogram.getValueAtPercentile(50) - (p50Us ?? 0))).toBeLessThanOrEqual((p50Us ?? 0) * 0.02 + 1)
  })

  it('is changed as a whole or not at all', async () => {
    const upstream = await Upstream.start()
    const config = configOf(upstream.address)
    const proxy = await start(config, options)
    expect(
      await proxy.apply({ ...config, drain: { deadline: '2s' }, routes: [{ name: 'all', respond: { status: 204 } }] }),
    ).toEqual({
      generation: 2,
      unchanged: false,
      rejected: [],
    })
    expect(await statusOf(urlOf(proxy))).toBe(204)
    const misspelt = { ...config, ruotes: [] } as ProxyConfig
    await expect(proxy.apply(misspelt)).rejects.toMatchObject({
      code: 'WEFT_CONFIG_INVALID',
      issues: [expect.objectContaining({ path: 'ruotes' })],
    })
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const taken = { name: 'second', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 } }
    const change = await proxy.apply({ ...config, listeners: [...config.listeners, taken] })
    expect(change).toMatchObject({ generation: 2, rejected: [{ path: 'listeners[1].address' }] })
    expect(await statusOf(urlOf(proxy))).toBe(204)
    other.close()
  })

  it('lets open exchanges finish in a drain, and tells how many were left at its deadline', async () => {
    const upstream = await Upstream.start()
    const proxy = await start(configOf(upstream.address), options)
    const open = request(`${urlOf(proxy)}/hold`, { dispatcher: client() })
    open.catch(() => {}) // looked at below
    const { response } = await upstream.held()
    expect(await proxy.drain({ deadline: '700ms' })).toBe(1)
    const drained = proxy.drain({ deadline: '10s' })
    response.end('late')
    expect(await (await open).body.text()).toBe('late')
    expect(await drained).toBe(0)
    await expect(statusOf(urlOf(proxy))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('is gone when it was closed: its port is free, connections are cut, and it says so', async () => {
    const upstream = await Upstream.start()
    const address = `127.0.0.1:${await freePort()}`
    for (let i = 0; i < 5; i += 1) {
      const proxy = await start(configOf(upstream.address, {}, address), options)
      const held = expect(request(`http://${address}/hold`, { dispatcher: client() })).rejects.toThrow()
      await upstream.held()
      await Promise.all([proxy.close(), proxy[Symbol.asyncDispose]()])
      await held
      expect(() => proxy.stats()).toThrow(expect.objectContaining({ code: 'WEFT_PROXY_CLOSED' }))
      await expect(proxy.apply({ file: 'weft.yaml' })).rejects.toMatchObject({ code: 'WEFT_PROXY_CLOSED' })
    }
  })

  it('shares nothing with another one of the same names: neither counts nor limits, nor its end', async () => {
    const [first, second] = [await Upstream.start('first'), await Upstream.start('second')]
    const buckets = [{ name: 'route', tokens: 5, refill: 1, every: '1h' }]
    const limited = { name: 'few', matches: [{ path: { exact: '/few' } }], forward: [{ cluster: 'app' }] }
    const withBucket = (upstream: Upstream) => {
      const config = configOf(upstream.address)
      const filters = [{ type: 'local-rate-limit' as const, buckets }]
      return { ...config, routes: [...(config.routes ?? []), { ...limited, filters }] }
    }
    const one = await start(withBucket(first), options)
    const two = await start(withBucket(second), options)
    for (const proxy of [one, two]) {
      const dispatcher = client()
      const statuses: number[] = []
      for (let i = 0; i < 6; i += 1) statuses.push(await statusOf(`${urlOf(proxy)}/few`, dispatcher))
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
    }
    const [toOne, toTwo] = [load(urlOf(one)), load(urlOf(two))]
    const both = () => Math.min(toOne.counts.answers, toTwo.counts.answers)
    await expect.poll(both, { interval: 5, timeout: 10_000 }).toBeGreaterThan(200)
    await toOne.stop()
    // A client may have its answer a moment before it is counted.
    await expect.poll(() => one.stats().clusters.app?.statuses[200]).toBe(toOne.counts.answers + 5)
    expect(first.requests).toBe(toOne.counts.answers + 5)
    await one.close()
    const until = toTwo.counts.answers + 200
    await expect.poll(() => toTwo.counts.answers, { interval: 5, timeout: 10_000 }).toBeGreaterThan(until)
    await toTwo.stop()
    expect([toOne.counts.failures, toTwo.counts.failures]).toEqual([0, 0])
    await expect.poll(() => two.stats().clusters.app?.statuses[200]).toBe(toTwo.counts.answers + 5)
    expect(second.requests).toBe(toTwo.counts.answers + 5)
  })
})

describe('what a program gets wrong', () => {
  it('is thrown with a code and a path', async () => {
    await expect(startProxy({ listeners: [] })).rejects.toMatchObject({
      name: 'WeftError',
      code: 'WEFT_CONFIG_INVALID',
    })
    await expect(startProxy(configOf('127.0.0.1:1'), { workers: -1 })).rejects.toMatchObject({ path: 'workers' })
    const proxy = await start(configOf('127.0.0.1:1'))
    await expect(proxy.drain({ deadline: '10' })).rejects.toMatchObject({ code: 'WEFT_CONFIG_VALUE', path: 'deadline' })
    expect(() => proxy.address('edgy')).toThrow(RangeError)
  })
})
