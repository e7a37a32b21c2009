/** The breaker of an endpoint with real servers: what opens it, that exactly one request tries, and what clients see. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { closeMoody, MoodyUpstream } from '../../kit/moody-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { type ProxyOptions, ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeMoody()
})

async function start(count: number, trip: object, options: ProxyOptions = {}) {
  const names = Array.from({ length: count }, (_, at) => `endpoint ${at}`)
  const upstreams = await Promise.all(names.map((name) => MoodyUpstream.start(name)))
  const circuitBreaker = { trip: { openJitter: '0%', ...trip } }
  const proxy = await ProxyProcess.start(
    upstreams.map(({ address }) => address),
    { ...options, cluster: { circuitBreaker, ...options.cluster } },
  )
  return { upstreams, proxy }
}

async function ask(proxy: ProxyProcess, times: number): Promise<number[]> {
  const statuses: number[] = []
  for (let i = 0; i < times; i += 1) {
    const { statusCode, body } = await request(proxy.url)
    await body.dump()
    statuses.push(statusCode)
  }
  return statuses
}

const breakers = async (proxy: ProxyProcess) =>
  ((await proxy.stats()).clusters[0]?.endpoints ?? []).map(({ breaker }) => breaker)

it('seven failures in a row open it, others serve meanwhile, and a probe that succeeds closes it', async () => {
  const { upstreams, proxy } = await start(2, { consecutiveFailures: 7, open: '2s' })
  const [, failing] = upstreams as [MoodyUpstream, MoodyUpstream]
  failing.mood = 500
  expect((await ask(proxy, 40)).filter((status) => status === 500)).toHaveLength(7)
  expect(failing.served).toBe(7)
  expect((await breakers(proxy))[1]).toMatchObject({ reason: '7 failures in a row', probing: false })
  await proxy.says(`endpoint's breaker opened cluster=app endpoint=${failing.address} for=2s`)
  failing.mood = 200
  await expect.poll(async () => [await ask(proxy, 2), (await breakers(proxy))[1]][1], { timeout: 10_000 }).toBeNull()
  await proxy.says(`endpoint's breaker closed cluster=app endpoint=${failing.address}`)
  const before = failing.served
  expect(new Set(await ask(proxy, 20))).toEqual(new Set([200]))
  expect(failing.served - before).toBe(10)
})

it('a hundred requests at once over four workers are exactly one probe, and one that fails doubles the time', async () => {
  const { upstreams, proxy } = await start(
    2,
    { consecutiveFailures: 1, open: '300ms', maxOpen: '1h' },
    { config: { workers: 4 }, listener: { limits: { maxConnections: 500 } } },
  )
  const [, failing] = upstreams as [MoodyUpstream, MoodyUpstream]
  failing.mood = 500
  while ((await breakers(proxy))[1] === null) await ask(proxy, 1)
  failing.mood = 'hold'
  const served = failing.served
  const clients: Socket[] = []
  const statuses: number[] = []
  for (let index = 0; index < 100; index += 1) {
    const client = connect(proxy.port, '127.0.0.1').setEncoding('latin1')
    client.on('data', (text: string) => statuses.push(Number(text.slice(9, 12))))
    await once(client, 'connect')
    clients.push(client)
  }
  const { workers } = await proxy.stats()
  expect(workers.filter(({ connections }) => connections > 0).length).toBeGreaterThan(1)
  const until = (await breakers(proxy))[1]?.untilUnixUs ?? 0
  await expect.poll(() => Date.now() * 1000 > until, { timeout: 10_000 }).toBe(true)
  for (const client of clients) client.write('GET / HTTP/1.1\r\nhost: app\r\n\r\n')
  await expect.poll(() => statuses.length, { timeout: 20_000 }).toBe(99)
  expect([failing.served - served, failing.held.length, new Set(statuses)]).toEqual([1, 1, new Set([200])])
  expect((await breakers(proxy))[1]?.probing).toBe(true)
  failing.held[0]?.writeHead(500).end()
  await expect.poll(() => statuses.length).toBe(100)
  const again = (await breakers(proxy))[1]
  expect(again).toMatchObject({ probing: false, reason: 'the request that tried it failed' })
  expect((again?.untilUnixUs ?? 0) - (again?.sinceUnixUs ?? 0)).toBe(600_000)
  for (const client of clients) client.destroy()
}, 60_000)

it('where the breakers of all endpoints are open, requests are refused at once, and it is said why', async () => {
  const { upstreams, proxy } = await start(2, { consecutiveFailures: 2, open: '1h', maxOpen: '1h' })
  for (const upstream of upstreams) upstream.mood = 'reset'
  await expect
    .poll(async () => [await ask(proxy, 1), (await breakers(proxy)).every((breaker) => breaker !== null)][1])
    .toBe(true)
  const served = upstreams.map((upstream) => upstream.served)
  const refused = await request(proxy.url, { headers: { 'x-request-id': 'refused-1' } })
  expect([refused.statusCode, refused.headers['x-envoy-overloaded']]).toEqual([503, 'true'])
  expect(await refused.body.text()).toContain("the breakers of all the cluster's endpoints are open")
  expect(upstreams.map((upstream) => upstream.served)).toEqual(served)
  const why = await (await fetch(`${proxy.admin}/why/refused-1`)).text()
  expect(why).toContain('503 UO (UpstreamOverflow)')
  expect(why).toContain('the breakers of all endpoints were open, so the request was refused at once')
  expect(why).toMatch(new RegExp(`passed over\\n +${upstreams[0]?.address} .*breaker was open.*: 2 failures in a row`))
  const counters = (await proxy.stats()).clusters[0]?.counters
  expect(counters?.weft_cluster_breaker_refusals_total).toBe(1)
})

it('answers that are too slow too often open it', async () => {
  const slowCalls = { over: '50ms', above: '50%', minRequests: 4 }
  const { upstreams, proxy } = await start(2, { consecutiveFailures: null, slowCalls, open: '1h', maxOpen: '1h' })
  const [, slow] = upstreams as [MoodyUpstream, MoodyUpstream]
  slow.mood = 'hold'
  const answered = new Set<unknown>()
  for (let round = 0; round < 4; round += 1) {
    const pair = [request(proxy.url), request(proxy.url)].map(async (sent) => (await sent).body.dump())
    await expect.poll(() => slow.held.length).toBe(round + 1)
    const begun = performance.now()
    await expect.poll(() => performance.now() - begun > 60).toBe(true)
    slow.held.at(-1)?.end('late')
    await Promise.all(pair)
    answered.add(pair)
  }
  expect((await breakers(proxy))[1]?.reason).toBe('100.0% of 4 requests took longer than 50 ms')
  const before = slow.served
  await ask(proxy, 20)
  expect(slow.served).toBe(before)
})

it('a success rate below the bound opens it, and without a breaker in the next configuration it closes', async () => {
  const successRate = { below: '80%', minRequests: 10 }
  const { upstreams, proxy } = await start(2, { consecutiveFailures: null, successRate, open: '1h', maxOpen: '1h' })
  const [, failing] = upstreams as [MoodyUpstream, MoodyUpstream]
  for (let round = 0; round < 10; round += 1) {
    failing.mood = round % 3 === 0 ? 429 : 200
    await ask(proxy, 2)
  }
  expect((await breakers(proxy))[1]?.reason).toBe('60.0% of 10 requests succeeded')
  failing.mood = 200
  await proxy.reload({
    ...proxy.config,
    clusters: [{ ...proxy.config.clusters?.[0], circuitBreaker: undefined }] as never,
  })
  expect(await breakers(proxy)).toEqual([null, null])
  const before = failing.served
  await ask(proxy, 20)
  expect(failing.served - before).toBe(10)
})
