/** The metrics page as Prometheus' own parser reads it, and durations as another HDR histogram library reads them. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import * as hdr from 'hdr-histogram-js'
import { request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Histograms } from '../../../src/admin/endpoint.js'
import { percentile } from '../../../src/cli/top/sample.js'
import { clients, python } from '../../kit/clients.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

const asked = 200
let proxy: ProxyProcess
let upstream: Upstream

beforeAll(async () => {
  upstream = await Upstream.start()
  proxy = await ProxyProcess.start(upstream.address, { config: { node: { service: 'shop' }, workers: 2 } })
  for (let n = 0; n < asked; n++) await request(`${proxy.url}/bytes/100`).then(({ body }) => body.dump())
  await request(`${proxy.url}/hash`, { method: 'POST', body: 'x'.repeat(5_000) }).then(({ body }) => body.dump())
})

afterAll(async () => {
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

interface Family {
  name: string
  type: string
  samples: { name: string; labels: Record<string, string>; value: number }[]
}

const families = async (): Promise<Map<string, Family>> => {
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  const read = spawnSync(python, [join(clients, 'exposition_reader.py')], { input: page, encoding: 'utf8' })
  expect(read.stderr).toBe('')
  return new Map((JSON.parse(read.stdout) as Family[]).map((family) => [family.name, family]))
}

it('the page is what Prometheus reads, with buckets that add up', async () => {
  const all = await families()
  const sizes = all.get('istio_request_bytes')
  expect(sizes?.type).toBe('histogram')
  const count = (le: string) => sizes?.samples.find(({ labels }) => labels.le === le)?.value
  expect([count('0'), count('4096'), count('16384'), count('+Inf')]).toEqual([asked, asked, asked + 1, asked + 1])
  const [requests] = all.get('istio_requests')?.samples ?? []
  expect(requests).toMatchObject({
    value: asked + 1,
    labels: {
      reporter: 'source',
      source_workload: 'shop',
      destination_service: 'app',
      route: 'all',
      response_code: '200',
    },
  })
  const reused = all.get('weft_cluster_connections_reused')?.samples[0]
  expect(reused?.labels).toEqual({ cluster: 'app' })
  expect(reused?.value).toBeGreaterThan(asked / 2)
})

it('a raw path is nowhere on the page', async () => {
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(page).not.toContain('bytes/100')
})

it('durations by route and endpoint are HDR histograms that hdr-histogram-js reads', async () => {
  const { routes, endpoints } = (await (await fetch(`${proxy.admin}/stats?format=hdr`)).json()) as Histograms
  const stats = await proxy.stats()
  expect(routes.map(({ route }) => route)).toEqual(['all'])
  expect(endpoints.map(({ cluster, endpoint }) => [cluster, endpoint])).toEqual([['app', upstream.address]])
  const histogram = hdr.decodeFromCompressedBase64(routes[0]?.hdr ?? '')
  expect(histogram.totalCount).toBe(asked + 1)
  const counted = stats.routes[0]?.latency ?? []
  for (const share of [50, 90, 99, 100]) {
    const expected = 1000 * (percentile(new Map(counted), share / 100) ?? 0)
    const read = histogram.getValueAtPercentile(share)
    expect(Math.abs(read - expected), `p${share}: ${read} and ${expected}`).toBeLessThanOrEqual(expected * 0.02 + 1)
  }
})
