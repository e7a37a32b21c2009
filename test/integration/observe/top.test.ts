/** `weft top` against a running proxy: samples for programs and for people, and the terminal given back. */
import { request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Sample } from '../../../src/cli/top/sample.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { WeftProcess } from '../../kit/weft-process.js'

let proxy: ProxyProcess
let upstream: Upstream
let asking = true
let traffic: Promise<void>

beforeAll(async () => {
  upstream = await Upstream.start()
  proxy = await ProxyProcess.start(upstream.address)
  traffic = (async () => {
    for (let turn = 0; asking; turn++) {
      const path = turn % 4 === 0 ? '/status/500' : '/bytes/10'
      await request(`${proxy.url}${path}`).then(({ body }) => body.dump())
    }
  })()
})

afterAll(async () => {
  asking = false
  await traffic
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

const top = (...args: string[]) => new WeftProcess(['top', '--admin', new URL(proxy.admin).host, ...args])

it('prints one sample as JSON and ends', async () => {
  const once = top('--once', '--output', 'json', '--interval', '0.5')
  expect(await once.ended).toBe(0)
  const { routes, endpoints, total } = JSON.parse(once.stdout) as Sample
  expect(routes.map(({ name }) => name)).toEqual(['all'])
  expect(endpoints.map(({ cluster, name }) => [cluster, name])).toEqual([['app', upstream.address]])
  for (const row of [total, ...routes, ...endpoints]) {
    expect(row.perSecond).toBeGreaterThan(1)
    expect(Math.abs((row.successPercent ?? 0) - 75)).toBeLessThan(15)
    expect(row.p50Ms).toBeGreaterThan(0)
    expect(row.p99Ms).toBeGreaterThanOrEqual(row.p50Ms ?? 0)
  }
})

it('prints a line of JSON for each interval until it is told to end', async () => {
  const samples = top('--output', 'json', '--interval', '0.1')
  await samples.says('\n{')
  samples.signal('SIGTERM')
  await samples.ended
  const lines = samples.stdout.split('\n').slice(0, 2)
  for (const line of lines) expect((JSON.parse(line) as Sample).seconds).toBeGreaterThan(0.05)
})

it('prints aligned tables for people', async () => {
  const once = top('--once', '--interval', '0.3')
  expect(await once.ended).toBe(0)
  expect(once.stdout).toMatch(/^ROUTE +REQ\/S +SUCCESS +P50 MS +P99 MS$/m)
  expect(once.stdout).toMatch(/^all +[\d.]+ +[\d.]+ % +[\d.]+ +[\d.]+/m)
  expect(once.stdout).toMatch(/^app 127\.0\.0\.1:\d+ +[\d.]+ /m)
})

it('refuses an interval that is none', async () => {
  const wrong = top('--interval', '0')
  expect(await wrong.ended).toBe(2)
})
