/** What is counted against the bounds of a cluster belongs to the process: it outlives reloads and workers. */
import { afterEach, expect, test } from 'vitest'
import type { ProxyConfig } from '../../../src/config/config.js'
import { answer, readAnswer, readRequest, request } from '../../kit/h1-message.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { Wire } from '../../kit/wire.js'
import { WorkerEnding } from '../../kit/worker-ending.js'

afterEach(endPrograms)

const keepAlive = { idleTimeout: '1m' }

async function ask(proxy: ProxyProcess, path: string): Promise<Wire> {
  const client = await Wire.connect(proxy.port)
  await client.send(request(`GET ${path}`))
  return client
}

async function status(proxy: ProxyProcess, path: string): Promise<number> {
  const client = await ask(proxy, path)
  const got = await readAnswer(client)
  client.close()
  return got.status
}

async function underWay(proxy: ProxyProcess): Promise<number> {
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  return Number(/^weft_requests_active(?:\{.*\})? (\d+)/m.exec(page)?.[1])
}

/** The configuration with another circuit breaker, or none. */
function bounded(config: ProxyConfig, circuitBreaker: object | null): ProxyConfig {
  return { ...config, clusters: config.clusters?.map((cluster) => ({ ...cluster, circuitBreaker })) } as ProxyConfig
}

test('a reload changes the bounds, not what is counted against them', async () => {
  const upstream = await ScriptedUpstream.open()
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, {
    cluster: { keepAlive, circuitBreaker: { maxRequests: 1 } },
  })
  const held = await ask(proxy, '/held')
  const wire = await upstream.next()
  await readRequest(wire)
  expect(await status(proxy, '/over')).toBe(503)
  await proxy.reload({ ...bounded(proxy.config, { maxRequests: 1, maxRetries: 7 }), records: { ring: 100 } })
  expect(await status(proxy, '/still-over')).toBe(503)
  await proxy.reload(bounded(proxy.config, { maxRequests: 2 }))
  const second = await ask(proxy, '/second')
  const other = await upstream.next()
  await readRequest(other)
  expect(await status(proxy, '/third')).toBe(503)
  for (const each of [wire, other]) await each.send(answer())
  for (const each of [held, second]) {
    expect((await readAnswer(each)).status).toBe(200)
    each.close()
  }
  expect(await proxy.stop()).toBe(0)
  await upstream.close()
})

test('connections that were opened before there was a bound count once they are used again', async () => {
  const upstream = await ScriptedUpstream.open()
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, { cluster: { keepAlive } })
  const clients = [await ask(proxy, '/1'), await ask(proxy, '/2')]
  const wires = [await upstream.next(), await upstream.next()]
  for (const wire of wires) {
    await readRequest(wire)
    await wire.send(answer())
  }
  for (const client of clients) await readAnswer(client)
  await proxy.reload(bounded(proxy.config, { maxConnections: 1 }))
  for (const client of clients) await client.send(request('GET /again'))
  // Both are in the pool; one of them gets the only place, the other one is closed and its request waits.
  const seen = await Promise.race(wires.map(async (wire) => readRequest(wire).then(() => wire)))
  const closed = wires.find((wire) => wire !== seen) as Wire
  expect(await closed.ended()).not.toBe('open')
  await seen.send(answer('one'))
  await readRequest(seen)
  await seen.send(answer('two'))
  const bodies = await Promise.all(clients.map(async (client) => (await readAnswer(client)).body))
  expect(bodies.sort()).toEqual(['one', 'two'])
  for (const client of clients) client.close()
  expect(await proxy.stop()).toBe(0)
  await upstream.close()
})

test.each(['throw', 'spin'] as const)('a worker that ends by %s gives back what it held', async (way) => {
  const ending = new WorkerEnding()
  const upstream = await ScriptedUpstream.open()
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, {
    // The other worker may hold all four connections: its requests end by the route's time.
    route: { timeout: '4s' },
    cluster: { keepAlive, circuitBreaker: { maxConnections: 4, maxRequests: 8 } },
    config: { workers: 2 },
    env: ending.env,
  })
  // As many as there may be, over both workers: four at the upstream, four that wait.
  const clients = await Promise.all(Array.from({ length: 8 }, (_, index) => ask(proxy, `/${index}`)))
  const wires = await Promise.all([1, 2, 3, 4].map(() => upstream.next()))
  await expect.poll(() => underWay(proxy), { timeout: 10_000 }).toBe(8)
  expect(await status(proxy, '/over')).toBe(503)
  upstream.answerAll()
  await ending.endOldest(way)
  await proxy.says('a worker ended and is replaced')
  await expect.poll(() => status(proxy, '/room'), { timeout: 10_000 }).toBe(200)
  for (const client of clients) client.reset()
  for (const wire of wires) wire.close()
  // Every place is free again: as many as there may be are served at once.
  const all = () => Promise.all(Array.from({ length: 8 }, (_, index) => status(proxy, `/all-${index}`)))
  await expect.poll(all, { timeout: 10_000 }).toEqual(Array(8).fill(200))
  await proxy.stop()
  await upstream.close()
})
