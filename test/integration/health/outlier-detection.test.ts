/** Outlier detection with real servers that fail: who is out, for how long, who stays, and that it is told. */
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import type { EndpointStats } from '../../../src/native/index.js'
import { closeMoody, MoodyUpstream } from '../../kit/moody-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeMoody()
})

/** Failures in a row only; comparisons play no part. */
const rules = { consecutive5xx: 5, interval: '1h', baseEjection: '2s', maxEjectionPercent: 50, successRate: null }

async function start(count: number, outlierDetection: object, more: object = {}) {
  const names = Array.from({ length: count }, (_, at) => `endpoint ${at}`)
  const upstreams = await Promise.all(names.map((name) => MoodyUpstream.start(name)))
  const proxy = await ProxyProcess.start(
    upstreams.map(({ address }) => address),
    { cluster: { outlierDetection: { ...rules, ...outlierDetection }, ...more } },
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

async function endpoints(proxy: ProxyProcess): Promise<EndpointStats[]> {
  return (await proxy.stats()).clusters[0]?.endpoints ?? []
}

const out = async (proxy: ProxyProcess) => (await endpoints(proxy)).map(({ ejected }) => ejected !== null)

it('an endpoint is out after five 5xx in a row, back after the base time, and out for twice as long the next time', async () => {
  const { upstreams, proxy } = await start(3, { baseEjection: '4s' })
  const [, failing] = upstreams as [MoodyUpstream, MoodyUpstream]
  failing.mood = 500
  const untilOut = async () => {
    while ((await out(proxy))[1] !== true) await ask(proxy, 1)
  }
  await untilOut()
  expect(failing.served).toBe(5)
  const first = (await endpoints(proxy))[1]?.ejected
  expect(first?.reason).toBe('5 failures of 5xx in a row')
  expect((first?.untilUnixUs ?? 0) - (first?.sinceUnixUs ?? 0)).toBe(4_000_000)
  const page = await (await fetch(`${proxy.admin}/clusters`)).text()
  expect(page).toMatch(/ unchecked,ejected /)
  expect(page).toContain(
    `${failing.address} is ejected since ${new Date((first?.sinceUnixUs ?? 0) / 1000).toISOString()}`,
  )
  await proxy.says(new RegExp(`endpoint ejected cluster=app endpoint=${failing.address} for=4s reason="5 failures`))
  await proxy.says(`endpoint gets requests again cluster=app endpoint=${failing.address}`)
  expect(await out(proxy)).toEqual([false, false, false])
  await untilOut()
  const second = (await endpoints(proxy))[1]?.ejected
  expect((second?.untilUnixUs ?? 0) - (second?.sinceUnixUs ?? 0)).toBe(8_000_000)
  expect(failing.served).toBe(10)
  const metrics = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(metrics).toContain('weft_cluster_ejections_total{cluster="app",reason="consecutive-5xx"} 2')
  expect(metrics).toContain('weft_cluster_endpoints_ejected{cluster="app"} 1')
  failing.mood = 200
  await expect.poll(() => out(proxy), { timeout: 20_000 }).toEqual([false, false, false])
  expect(new Set(await ask(proxy, 30))).toEqual(new Set([200]))
})

it('resets count on their own where that is configured, and no 5xx beside them does', async () => {
  const { upstreams, proxy } = await start(3, { consecutive5xx: null, consecutiveLocalErrors: 3, baseEjection: '1m' })
  const [failing] = upstreams as [MoodyUpstream]
  failing.mood = 500
  await ask(proxy, 60)
  expect(await out(proxy)).toEqual([false, false, false])
  failing.mood = 'reset'
  const before = failing.served
  expect((await ask(proxy, 30)).filter((status) => status === 503)).toHaveLength(3)
  expect(await out(proxy)).toEqual([true, false, false])
  // A request on a reused connection that was reset is sent again on a new one before it counts as a failure.
  expect(failing.served - before).toBeLessThanOrEqual(6)
})

it('where all fail half are ejected and the rest serve; with `ejectLast` all are, and panic takes over', async () => {
  const { upstreams, proxy } = await start(4, { baseEjection: '1m' })
  for (const upstream of upstreams) upstream.mood = 503
  await ask(proxy, 80)
  expect((await out(proxy)).filter((ejected) => ejected)).toHaveLength(2)
  await proxy.says(/endpoint not ejected cluster=app .*`maxEjectionPercent` is 50, and 2 of 4 are out/)
  const most = { ...rules, baseEjection: '1m', maxEjectionPercent: 100 }
  const changed = (outlierDetection: object) => ({
    ...proxy.config,
    clusters: [{ ...proxy.config.clusters?.[0], outlierDetection }] as never,
  })
  await proxy.reload(changed(most))
  await ask(proxy, 80)
  expect((await out(proxy)).filter((ejected) => ejected)).toHaveLength(3)
  await proxy.says(/endpoint not ejected cluster=app .*no other endpoint is up/)
  await proxy.reload(changed({ ...most, ejectLast: true }))
  await ask(proxy, 40)
  expect(await out(proxy)).toEqual([true, true, true, true])
  for (const upstream of upstreams) upstream.mood = 200
  const served = upstreams.map((upstream) => upstream.served)
  expect(new Set(await ask(proxy, 40))).toEqual(new Set([200]))
  expect(upstreams.every((upstream, at) => upstream.served > (served[at] ?? 0))).toBe(true)
  expect((await proxy.stats()).clusters[0]?.counters.weft_cluster_panic_picks_total).toBeGreaterThanOrEqual(40)
  await proxy.reload({
    ...proxy.config,
    clusters: [{ ...proxy.config.clusters?.[0], outlierDetection: undefined }] as never,
  })
  expect(await out(proxy)).toEqual([false, false, false, false])
})

it('at the end of an interval an endpoint is out that succeeds much less often than the others', async () => {
  const { upstreams, proxy } = await start(5, {
    consecutive5xx: null,
    interval: '500ms',
    baseEjection: '1m',
    successRate: { requestVolume: 10 },
  })
  const [, , failing] = upstreams as [MoodyUpstream, MoodyUpstream, MoodyUpstream]
  failing.mood = 500
  await expect
    .poll(async () => [await ask(proxy, 50), await out(proxy)][1], { timeout: 20_000 })
    .toEqual([false, false, true, false, false])
  expect((await endpoints(proxy))[2]?.ejected?.reason).toMatch(/^0.0% of \d+ requests succeeded, below .*mean/)
})

it('health that flaps ejects for longer each time, and a health check that succeeds ends it', async () => {
  const healthCheck = { protocol: 'http', interval: '100ms', intervalJitter: '0s' }
  const { upstreams, proxy } = await start(3, { baseEjection: '1h', maxEjection: '10h' }, { healthCheck })
  const [flapping] = upstreams as [MoodyUpstream]
  flapping.mood = 500
  const lengths = () =>
    [...proxy.output.matchAll(/endpoint ejected .* for=(\d+)s/g)].map(([, seconds]) => Number(seconds))
  await expect.poll(async () => [await ask(proxy, 9), lengths().length][1], { timeout: 20_000 }).toBeGreaterThan(2)
  expect(lengths().slice(0, 3)).toEqual([3_600, 7_200, 10_800])
  await proxy.says(/endpoint gets requests again .*its health check succeeds/)
})
