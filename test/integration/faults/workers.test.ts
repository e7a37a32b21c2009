/** A worker thread that throws, stands still or runs out of memory: replaced, and nobody else notices. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { askOnce, Connections } from '../../kit/connections.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { holdings, ProxyProcess } from '../../kit/proxy-process.js'
import { WorkerEnding } from '../../kit/worker-ending.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

it.for([
  { way: 'throw', reason: 'thrown by the test', mostMs: 1000 },
  { way: 'spin', reason: 'its loop stood still for a second', mostMs: 2500 },
  { way: 'memory', reason: 'memory limit', mostMs: 4000 },
] as const)(
  'a worker that ends by $way is replaced; new connections wait, those of the other worker live on',
  async ({ way, reason, mostMs }) => {
    const ending = new WorkerEnding()
    const upstream = await Upstream.start()
    const proxy = await ProxyProcess.start(upstream.address, { config: { workers: 2 }, env: ending.env })
    const connections = await Connections.open(proxy.url, 40)
    const before = (await proxy.stats()).workers.map((worker) => worker.connections)
    expect(before.reduce((sum, count) => sum + count, 0)).toBe(40)
    const broken = connections.countBroken()

    await ending.endOldest(way)
    const took = await Promise.all(Array.from({ length: 40 }, () => askOnce(proxy.url)))
    expect(Math.max(...took)).toBeLessThan(mostMs)
    await proxy.says(`a worker ended and is replaced; its connections are lost worker=`)
    expect(proxy.output).toContain(reason)

    const lost = broken()
    expect(before, 'exactly one worker lost its connections').toContain(lost)
    expect(lost).toBeGreaterThan(0)
    expect(await connections.askAll(), 'those that broke are opened anew').toBe(40)
    expect(broken(), 'no further one broke').toBe(lost)
    expect((await proxy.stats()).workers.map((worker) => worker.connections).reduce((a, b) => a + b)).toBe(40)
    await connections.close()
    expect(await proxy.stop()).toBe(0)
  },
)

it('20 forced endings with open connections leave descriptors and memory as they were', async () => {
  const ending = new WorkerEnding()
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, {
    config: { workers: 5 },
    cluster: { keepAlive: { idleTimeout: '3s' } },
    env: ending.env,
  })
  const endOne = async (n: number) => {
    const connections = await Connections.open(proxy.url, 20)
    const tunnel: Socket = connect(proxy.port, '127.0.0.1')
    tunnel.write('GET /hold HTTP/1.1\r\nhost: a\r\n\r\n')
    const { response } = await upstream.held()
    const from = proxy.output.length
    await ending.endOldest(n % 2 ? 'throw' : 'memory')
    await proxy.says('a worker ended and is replaced', from)
    response.end()
    tunnel.destroy()
    await connections.close()
  }
  /** All workers serve, and nothing is open. */
  const rest = async () => {
    await Promise.all(Array.from({ length: 50 }, () => askOnce(proxy.url)))
    await expect
      .poll(async () => (await proxy.stats()).workers.every((worker) => worker.connections === 0), { timeout: 5000 })
      .toBe(true)
    // Connections to endpoints wait in pools for three seconds.
    await expect
      .poll(() => holdings(proxy.pid).descriptors, { timeout: 8000 })
      .toBeLessThanOrEqual(idle.descriptors + ofAdmin)
    return holdings(proxy.pid)
  }
  // The test's own connections to the admin server come and go.
  const ofAdmin = 2
  const idle = holdings(proxy.pid)
  for (let n = 0; n < 6; n++) await endOne(n)
  const early = await rest()
  for (let n = 6; n < 20; n++) await endOne(n)
  const late = await rest()
  expect(late.descriptors).toBeLessThanOrEqual(early.descriptors + ofAdmin)
  expect(late.privateKiB - early.privateKiB).toBeLessThan(8 * 1024)
  expect((await proxy.stats()).counters.weft_requests_active).toBe(0)
  expect(await proxy.stop()).toBe(0)
})

it('a worker that dies with the drain under way does not keep the process from ending', async () => {
  const ending = new WorkerEnding()
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, { env: ending.env })
  const client = connect(proxy.port, '127.0.0.1')
  client.on('error', () => {}).resume()
  client.write('GET /hold HTTP/1.1\r\nhost: a\r\n\r\n')
  await upstream.held()
  const closed = once(client, 'close')
  proxy.signal('SIGTERM')
  await ending.endOldest('throw')
  await closed
  expect(await proxy.end()).toBe(0)
})
