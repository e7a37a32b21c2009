/** Active health checks: who is asked, what counts, and that requests follow. */

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { freePort } from '../../kit/free-port.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

/** An upstream whose answers to checks a test sets: a status, or `null` for none at all. */
class Checked {
  status: number | null = 200
  checks = 0
  connections = 0
  served = 0
  readonly hosts = new Set<string | undefined>()
  private readonly server: Server

  private constructor(name: string) {
    this.server = createServer((asked, answer) => {
      if (asked.headers['user-agent'] === 'weft-health-check') {
        this.checks += 1
        this.hosts.add(asked.headers.host)
        if (this.status !== null) answer.writeHead(this.status).end(`${this.status}`)
        return
      }
      this.served += 1
      answer.end(name)
    }).on('connection', () => {
      this.connections += 1
    })
  }

  static async start(name: string, port = 0): Promise<Checked> {
    const checked = new Checked(name)
    checked.server.listen(port, '127.0.0.1')
    await once(checked.server, 'listening')
    open.add(checked)
    return checked
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    open.delete(this)
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}

const open = new Set<Checked>()

afterEach(async () => {
  await endPrograms()
  await Promise.all([...open].map((checked) => checked.close()))
})

const often = { protocol: 'http', path: '/healthz', interval: '100ms', intervalJitter: '0s', timeout: '200ms' }

function start(endpoints: string[], healthCheck: object = {}): Promise<ProxyProcess> {
  return ProxyProcess.start(endpoints, { cluster: { healthCheck: { ...often, ...healthCheck } } })
}

async function health(proxy: ProxyProcess): Promise<string[]> {
  return (await proxy.stats()).clusters[0]?.endpoints.map((endpoint) => endpoint.health) ?? []
}

async function until(proxy: ProxyProcess, ...wanted: string[]): Promise<void> {
  const end = performance.now() + 10_000
  for (;;) {
    const now = await health(proxy)
    if (now.join() === wanted.join()) return
    if (performance.now() > end) throw new Error(`${now} did not become ${wanted}`)
  }
}

async function ask(proxy: ProxyProcess, times: number): Promise<string[]> {
  const answers: string[] = []
  for (let i = 0; i < times; i += 1) answers.push(await (await request(proxy.url)).body.text())
  return answers
}

/** Threads of the process that follow names and check health. */
function coldThreads(pid: number): number {
  const names = readdirSync(`/proc/${pid}/task`).map((task) => readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8'))
  return names.filter((name) => name === 'weft-cold\n').length
}

it('an endpoint whose status is not the expected one gets no requests, until it has recovered twice', async () => {
  const [one, two] = [await Checked.start('one'), await Checked.start('two')]
  two.status = 500
  const proxy = await start([one.address, two.address])
  await until(proxy, 'healthy', 'unhealthy')
  expect(new Set(await ask(proxy, 20))).toEqual(new Set(['one']))
  expect(two.served).toBe(0)
  const before = two.checks
  two.status = 200
  await until(proxy, 'healthy', 'healthy')
  expect(two.checks - before).toBeGreaterThanOrEqual(2)
  expect(new Set(await ask(proxy, 20))).toEqual(new Set(['one', 'two']))
})

it('a single unexpected status is enough, a single answer that does not come is not', async () => {
  const [one, two] = [await Checked.start('one'), await Checked.start('two')]
  const proxy = await start([one.address, two.address], { unhealthyThreshold: 3 })
  await until(proxy, 'healthy', 'healthy')
  const before = two.checks
  two.status = 503
  await until(proxy, 'healthy', 'unhealthy')
  expect(two.checks - before).toBeLessThanOrEqual(2)
  two.status = 200
  await until(proxy, 'healthy', 'healthy')
  const silent = two.checks
  two.status = null
  await until(proxy, 'healthy', 'unhealthy')
  expect(two.checks - silent).toBeGreaterThanOrEqual(3)
})

it('checks go to the path and host that are written, expect what is written, and stay on one connection', async () => {
  const one = await Checked.start('one')
  one.status = 204
  const proxy = await start([one.address], { host: 'app.internal', expectedStatuses: ['200-299'] })
  await until(proxy, 'healthy')
  const end = performance.now() + 10_000
  while (one.checks < 5 && performance.now() < end) await health(proxy)
  expect(one.hosts).toEqual(new Set(['app.internal']))
  expect([one.checks >= 5, one.connections]).toEqual([true, 1])
})

it('a request that meets a refused connection takes the endpoint out at once; it comes back by its checks', async () => {
  const one = await Checked.start('one')
  const two = await Checked.start('two')
  const port = Number(two.address.split(':')[1])
  const proxy = await start([one.address, two.address], { interval: '2s', healthyThreshold: 1 })
  await until(proxy, 'healthy', 'healthy')
  await two.close()
  const statuses: number[] = []
  for (let i = 0; i < 20; i += 1) {
    const { statusCode, body } = await request(proxy.url)
    await body.dump()
    statuses.push(statusCode)
  }
  expect(statuses.filter((status) => status !== 200).length).toBeLessThanOrEqual(1)
  expect(await health(proxy)).toEqual(['healthy', 'unhealthy'])
  await Checked.start('two again', port)
  await until(proxy, 'healthy', 'healthy')
})

it('a TCP check asks for nothing but a connection', async () => {
  let accepted = 0
  const server = createTcpServer((socket) => {
    accepted += 1
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const nobody = `127.0.0.1:${await freePort()}`
  const proxy = await ProxyProcess.start([`127.0.0.1:${(server.address() as AddressInfo).port}`, nobody], {
    cluster: { healthCheck: { protocol: 'tcp', interval: '100ms' } },
  })
  await until(proxy, 'healthy', 'unhealthy')
  expect(accepted).toBeGreaterThan(0)
  await proxy.stop()
  server.close()
})

it('what was found survives a reload; checks of an endpoint that is gone end, and without checks nobody is unhealthy', async () => {
  const [one, two] = [await Checked.start('one'), await Checked.start('two')]
  two.status = 500
  const proxy = await start([one.address, two.address])
  await until(proxy, 'healthy', 'unhealthy')
  const cluster = proxy.config.clusters?.[0]
  const changed = (more: object) => ({ ...proxy.config, clusters: [{ ...cluster, ...more }] as never })
  await proxy.reload(changed({ connectTimeout: '3s' }))
  expect(await health(proxy)).toEqual(['healthy', 'unhealthy'])
  await proxy.reload(changed({ endpoints: [one.address] }))
  await until(proxy, 'healthy')
  const [gone, kept] = [two.checks, one.checks]
  const end = performance.now() + 10_000
  while (one.checks < kept + 5 && performance.now() < end) await health(proxy)
  expect(one.checks).toBeGreaterThanOrEqual(kept + 5)
  // One may have been on its way.
  expect(two.checks - gone).toBeLessThanOrEqual(1)
  expect(coldThreads(proxy.pid)).toBe(1)
  await proxy.reload(changed({ healthCheck: undefined, endpoints: [one.address, two.address] }))
  await until(proxy, 'unchecked', 'unchecked')
  while (coldThreads(proxy.pid) > 0 && performance.now() < end) await health(proxy)
  expect(coldThreads(proxy.pid)).toBe(0)
  expect(new Set(await ask(proxy, 10))).toEqual(new Set(['one', 'two']))
})
