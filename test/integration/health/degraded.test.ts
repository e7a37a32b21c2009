/** What endpoints say of themselves, and how often they are asked: degraded, out at once, intervals by state. */
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { closeMoody, MoodyUpstream } from '../../kit/moody-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeMoody()
})

const often = { protocol: 'http', interval: '100ms', intervalJitter: '0s', timeout: '1s' }

async function start(count: number, healthCheck: object = {}, more: object = {}) {
  const names = Array.from({ length: count }, (_, at) => `endpoint ${at}`)
  const upstreams = await Promise.all(names.map((name) => MoodyUpstream.start(name)))
  const proxy = await ProxyProcess.start(
    upstreams.map(({ address }) => address),
    { cluster: { healthCheck: { ...often, ...healthCheck }, ...more } },
  )
  return { upstreams, proxy }
}

async function ask(proxy: ProxyProcess, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) await (await request(proxy.url)).body.dump()
}

const standing = async (proxy: ProxyProcess) =>
  ((await proxy.stats()).clusters[0]?.endpoints ?? []).map(({ health, degraded }) => `${health}${degraded ? '!' : ''}`)

it('a degraded endpoint gets requests only when the healthy ones cannot take them', async () => {
  // Without panic, which would send requests to the unhealthy ones as well.
  const { upstreams, proxy } = await start(4, {}, { panicThreshold: 0 })
  const [last = upstreams[0], ...others] = [...upstreams].reverse()
  if (last === undefined) throw new Error('no endpoint')
  const served = () => others.reduce((sum, upstream) => sum + upstream.served, 0)
  const all = (words: string) => [...others.map(() => words), 'healthy!']
  last.healthHeaders = { 'x-envoy-degraded': 'true' }
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(all('healthy'))
  // Three of four are up: with a factor of 1.4 that is enough for everything.
  await ask(proxy, 20)
  expect([served(), last.served]).toEqual([20, 0])
  for (const other of others) other.health = 503
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(all('unhealthy'))
  await (await request(proxy.url, { headers: { 'x-request-id': 'degraded-1' } })).body.dump()
  expect([served(), last.served]).toEqual([20, 1])
  const why = await (await fetch(`${proxy.admin}/why/degraded-1`)).text()
  expect(why).toContain('no endpoint was up but degraded ones, so one of them was used')
  last.healthHeaders = {}
  for (const other of others) other.health = 200
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(upstreams.map(() => 'healthy'))
})

it('an answer that says so takes its endpoint out at once, until its checks succeed again', async () => {
  const { upstreams, proxy } = await start(2, { interval: '1s', healthyThreshold: 2 })
  const [one, two] = upstreams as [MoodyUpstream, MoodyUpstream]
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(['healthy', 'healthy'])
  two.headers = { 'x-envoy-immediate-health-check-fail': 'true' }
  while (two.served === 0) await ask(proxy, 1)
  const before = one.served
  await ask(proxy, 10)
  expect([one.served - before, two.served]).toEqual([10, 1])
  await proxy.says(/endpoint unhealthy cluster=app .*its answer says that its health check fails/)
  two.headers = {}
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(['healthy', 'healthy'])
  await proxy.says(`endpoint healthy cluster=app endpoint=${two.address}`)
})

it('a status of `retriableStatuses` counts only in a row, any other that is not expected at once', async () => {
  const { upstreams, proxy } = await start(1, { retriableStatuses: ['500-503'], unhealthyThreshold: 3 })
  const [one] = upstreams as [MoodyUpstream]
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(['healthy'])
  const before = one.checks.length
  one.health = 503
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(['unhealthy'])
  expect(one.checks.length - before).toBeGreaterThanOrEqual(3)
})

it('checks come at the interval of what they found', async () => {
  const { upstreams, proxy } = await start(1, {
    interval: '1h',
    noTrafficInterval: '100ms',
    unhealthyInterval: '300ms',
    healthyEdgeInterval: '100ms',
    healthyThreshold: 3,
  })
  const [one] = upstreams as [MoodyUpstream]
  await expect.poll(() => one.checks.length, { timeout: 10_000 }).toBeGreaterThan(3)
  one.health = 500
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(['unhealthy'])
  await ask(proxy, 1)
  const from = one.checks.length
  await expect.poll(() => one.checks.length, { timeout: 10_000 }).toBeGreaterThan(from + 3)
  const gaps = one.checks.slice(from + 1).map((at, index) => at - (one.checks[from + index] ?? 0))
  // The first may still be of the time before the request.
  expect(Math.min(...gaps.slice(1))).toBeGreaterThan(250)
  one.health = 200
  await expect.poll(() => standing(proxy), { timeout: 10_000 }).toEqual(['healthy'])
  const [before, last] = one.checks.slice(-2) as [number, number]
  expect(last - before).toBeLessThan(280)
})
