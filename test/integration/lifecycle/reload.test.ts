/** SIGHUP: all of a new configuration or nothing of it, and nobody who is being served notices. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Client, request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import type { ProxyConfig } from '../../../src/config/config.js'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { holdings, ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** One connection with one request: that it was answered, or the error that it met. */
function visit(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let end = 'closed'
  socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
  socket.once('data', () => {
    end = 'answered'
  })
  socket.once('error', (cause: NodeJS.ErrnoException) => {
    end = cause.code ?? ''
  })
  return new Promise((resolve) => socket.once('close', () => resolve(end)))
}

const towards = (proxy: ProxyProcess, upstream: Upstream): ProxyConfig => ({
  ...proxy.config,
  clusters: [{ name: 'app', endpoints: [upstream.address] }],
})

it('a changed cluster answers the next request, also on a kept connection; the one before ends where it began', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const proxy = await ProxyProcess.start(one.address)
  const client = new Client(proxy.url)
  const ask = async () => (await client.request({ path: '/', method: 'GET' })).body.text()
  expect(await ask()).toBe('one\n')
  const open = request(`${proxy.url}/hold`)
  const { response } = await one.held()
  expect(await proxy.reload(towards(proxy, two))).toMatch(/generation=2/)
  expect(await ask()).toBe('two\n')
  response.end('still one')
  expect(await (await open).body.text()).toBe('still one')
  expect(one.requests).toBe(2)
  await client.close()
  expect(await proxy.stop()).toBe(0)
})

it('a refused file changes nothing and says why with its path', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const proxy = await ProxyProcess.start(one.address)
  const client = new Client(proxy.url)
  const ask = async () => (await client.request({ path: '/', method: 'GET' })).body.text()
  await ask()
  const kept = holdings(proxy.pid).descriptors
  const good = towards(proxy, two)
  const taken = { name: 'more', address: two.address }
  for (const [bad, why] of [
    ['listeners: [', 'WEFT_CONFIG_SYNTAX'],
    [{ ...good, routes: [{ name: 'all', forward: [{ cluster: 'ap' }] }] }, 'path="routes[0].forward[0].cluster"'],
    [{ ...good, listeners: [...proxy.config.listeners, taken] }, 'path="listeners[1].address"'],
    [
      { ...good, listeners: [{ ...proxy.config.listeners[0], accessLog: { path: '/nowhere/log' } }] },
      'path="listeners[0].accessLog.path"',
    ],
  ] as const) {
    const from = proxy.output.length
    expect(await proxy.reload(bad as ProxyConfig | string)).toContain('everything stays as it was')
    await proxy.says(why, from)
    expect(await ask()).toBe('one\n')
  }
  expect((await proxy.stats()).generation).toBe(1)
  expect(holdings(proxy.pid).descriptors).toBeLessThanOrEqual(kept + 1)
  expect(await proxy.reload(good)).toMatch(/generation=2/)
  expect(await ask()).toBe('two\n')
  await client.close()
  expect(await proxy.stop()).toBe(0)
})

it('listeners come and go; connections of one that goes end after their exchange', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, { config: { workers: 2 } })
  const port = await freePort()
  const both = {
    ...proxy.config,
    listeners: [...proxy.config.listeners, { name: 'more', address: `127.0.0.1:${port}` }],
  }
  await proxy.reload(both)
  const idle = new Client(`http://127.0.0.1:${port}`)
  await (await idle.request({ path: '/', method: 'GET' })).body.dump()
  const open = request(`http://127.0.0.1:${port}/hold`)
  const { response } = await upstream.held()
  const left = once(idle, 'disconnect')

  await proxy.reload(proxy.config)
  await left
  await expect.poll(() => visit(port)).toBe('ECONNREFUSED')
  response.end('done')
  const { headers, body } = await open
  expect([headers.connection, await body.text()]).toEqual(['close', 'done'])
  expect(await (await request(proxy.url)).body.text()).toBe('app\n')

  await proxy.reload(both)
  expect(await (await request(`http://127.0.0.1:${port}`)).body.text()).toBe('app\n')
  expect(await proxy.stop()).toBe(0)
})

it('20 reloads under load fail no request and leave neither descriptors nor memory behind', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const proxy = await ProxyProcess.start(one.address, { config: { workers: 2 } })
  let over = false
  const seen = new Set<string>()
  const clients = Array.from({ length: 16 }, async () => {
    const client = new Client(proxy.url)
    let asked = 0
    for (; !over; asked++) {
      const { statusCode, body } = await client.request({ path: '/', method: 'GET' })
      expect(statusCode).toBe(200)
      seen.add(await body.text())
    }
    await client.close()
    return asked
  })
  await proxy.reload(towards(proxy, two))
  const before = holdings(proxy.pid)
  for (let n = 0; n < 20; n++) await proxy.reload(towards(proxy, n % 2 ? two : one))
  const after = holdings(proxy.pid)
  over = true
  const counts = await Promise.all(clients)
  expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThan(100)
  expect([...seen].sort()).toEqual(['one\n', 'two\n'])
  const { series } = await proxy.stats()
  expect(series.map(({ status, flag }) => [status, flag])).toEqual([[200, series[0]?.flag]])
  expect(after.descriptors - before.descriptors).toBeLessThan(64)
  expect(after.privateKiB - before.privateKiB).toBeLessThan(16 * 1024)
  expect(await proxy.stop()).toBe(0)
})

it('says which changes need a start', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  await proxy.reload({ ...proxy.config, workers: 3 })
  await proxy.says('a change of workers takes effect at the next start')
  expect((await proxy.stats()).workers.length).toBe(1)
  expect(await proxy.stop()).toBe(0)
})
