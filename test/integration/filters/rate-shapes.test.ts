/** `local-rate-limit` beyond plain buckets: shares, keys with buckets of their own, requests that wait for their turn. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { readAnswer, request } from '../../kit/h1-message.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { Wire } from '../../kit/wire.js'

const opened: ProxyProcess[] = []

afterEach(async () => {
  for (const proxy of opened.splice(0)) await proxy.stop()
})

/** A proxy that answers itself: what is counted here is not an endpoint's speed. */
async function start(bucket: object, more: object = {}) {
  const filters = [{ type: 'local-rate-limit', buckets: [{ name: 'all', ...bucket }], headers: true }]
  const route = { forward: undefined, respond: { status: 200, body: 'ok' } }
  const proxy = await ProxyProcess.start('127.0.0.1:1', { listener: { filters }, route, ...more })
  opened.push(proxy)
  return proxy
}

/** Statuses of requests that are sent one after the other over one connection. */
async function statuses(port: number, count: number, path: string, lines: string[] = []) {
  const client = await Wire.connect(port)
  const found: number[] = []
  for (let turn = 0; turn < count; turn += 1) {
    await client.send(request(`GET ${path}`, lines))
    found.push((await readAnswer(client)).status)
  }
  client.close()
  return found
}

test('one client at far more than its share leaves every other at least 95 percent of its own', async () => {
  const [clients, each, seconds] = [5, 40, 4]
  const proxy = await start(
    { key: [{ header: 'x-client' }], fair: true, tokens: 200, refill: 200, every: '1s' },
    { workers: 2 },
  )
  const end = Date.now() + seconds * 1_000
  const hog = async () => {
    const client = await Wire.connect(proxy.port)
    let asked = 0
    let granted = 0
    for (; Date.now() < end; asked += 100) {
      await client.send(request('GET /', ['X-Client: hog']).repeat(100))
      for (let turn = 0; turn < 100; turn += 1) granted += Number((await readAnswer(client)).status === 200)
    }
    client.close()
    return { asked, granted }
  }
  const quiet = async (name: string) => {
    const client = await Wire.connect(proxy.port)
    const began = Date.now()
    let asked = 0
    let granted = 0
    while (Date.now() < end) {
      // So many as are due by now, for the machine may be busy.
      for (const due = ((Date.now() - began) / 1_000) * each; asked < due; asked += 1) {
        await client.send(request('GET /', [`X-Client: ${name}`]))
        granted += Number((await readAnswer(client)).status === 200)
      }
      await pause(5)
    }
    client.close()
    return { asked, granted }
  }
  const names = Array.from({ length: clients - 1 }, (_, index) => `quiet-${index}`)
  const [greedy, ...others] = await Promise.all([hog(), ...names.map(quiet)])
  expect(greedy.asked).toBeGreaterThan(each * seconds * 10)
  for (const { asked, granted } of others) expect(granted / asked).toBeGreaterThanOrEqual(0.95)
  const all = [greedy, ...others].reduce((sum, { granted }) => sum + granted, 0)
  expect(all).toBeLessThanOrEqual(200 * (seconds + 1) + 50)
})

test('keys that are written down have buckets of their own, and where there is room for no other only they are limited', async () => {
  const slow = { refill: 1, every: '5h' }
  const keys = [{ match: ['gold', '/users/{id}'], tokens: 3, ...slow }]
  const key = [{ header: 'x-tier' }, { pathTemplate: ['/users/{id}'] }]
  const first = await start({ key, keys, tokens: 1, ...slow })
  expect(await statuses(first.port, 4, '/users/1', ['X-Tier: gold'])).toEqual([200, 200, 200, 429])
  expect(await statuses(first.port, 1, '/users/2', ['X-Tier: gold'])).toEqual([429])
  expect(await statuses(first.port, 2, '/users/1', ['X-Tier: tin'])).toEqual([200, 429])
  expect(await statuses(first.port, 2, '/other', ['X-Tier: tin'])).toEqual([200, 200])
  const only = await start({ key, keys, maxKeys: 0, tokens: 1, ...slow })
  expect(await statuses(only.port, 4, '/users/1', ['X-Tier: gold'])).toEqual([200, 200, 200, 429])
  expect(await statuses(only.port, 3, '/users/1', ['X-Tier: tin'])).toEqual([200, 200, 200])
})

test('requests that may wait go evenly spaced, those behind the longest wait are refused, and the record says who waited', async () => {
  const proxy = await start({ tokens: 1, refill: 10, every: '1s', maxWait: '450ms' })
  const began = performance.now()
  const ask = async (id: number) => {
    const client = await Wire.connect(proxy.port)
    await client.send(request('GET /', [`X-Request-Id: turn-${id}`]))
    const { status } = await readAnswer(client)
    client.close()
    return { status, after: performance.now() - began }
  }
  const answers = await Promise.all(Array.from({ length: 8 }, (_, id) => ask(id)))
  const served = answers.filter(({ status }) => status === 200).map(({ after }) => after)
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(3)
  expect(served).toHaveLength(5)
  served.sort((a, b) => a - b)
  // The fifth one's turn is 400 ms after the first one's, which was served after `began`.
  expect(served[4] as number).toBeGreaterThanOrEqual(399)
  const records = await (await fetch(`${proxy.admin}/records`)).text()
  expect(records.split('rate-limit-paced')).toHaveLength(5)
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(page).toMatch(/^weft_rate_limit_paced_total 4$/m)
})

test('a client that leaves while it waits for its turn does no harm', async () => {
  const proxy = await start({ tokens: 1, refill: 5, every: '1s', maxWait: '10s' })
  const clients = await Promise.all(Array.from({ length: 5 }, () => Wire.connect(proxy.port)))
  for (const client of clients) await client.send(request('GET /'))
  for (const client of clients) client.close()
  await expect.poll(async () => (await proxy.stats()).counters.weft_requests_active, { timeout: 5_000 }).toBe(0)
  expect(await statuses(proxy.port, 1, '/')).toEqual([200])
})
