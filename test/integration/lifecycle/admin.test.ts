/** Every admin endpoint of a proxy that has carried traffic. */
import { request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Connections } from '../../kit/connections.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

let proxy: ProxyProcess
let upstream: Upstream
let connections: Connections

beforeAll(async () => {
  upstream = await Upstream.start()
  proxy = await ProxyProcess.start(upstream.address, { config: { workers: 2 } })
  connections = await Connections.open(proxy.url, 5)
  for (let n = 0; n < 9; n++) await connections.askAll()
  await request(`${proxy.url}/status/404`).then(({ body }) => body.dump())
})

afterAll(async () => {
  await connections.close()
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

const get = async (path: string) => {
  const answer = await fetch(`${proxy.admin}${path}`)
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
}

it('/ready and /live', async () => {
  expect(await get('/ready')).toMatchObject({ status: 200, text: 'ready\n' })
  expect(await get('/live')).toMatchObject({ status: 200, text: 'live\n' })
})

it('/stats for people and for programs', async () => {
  const { text } = await get('/stats')
  expect(text).toMatch(/^state +ready$/m)
  expect(text).toMatch(/^edge +all +app +200 +- +50 /m)
  expect(text).toMatch(/^edge +all +app +404 +- +1 /m)
  const { series, counters, workers } = JSON.parse((await get('/stats?format=json')).text)
  expect(series).toEqual(
    expect.arrayContaining([expect.objectContaining({ status: 200, requests: 50, responseBytes: 5000 })]),
  )
  expect(counters).toMatchObject({ weft_downstream_connections_total: 6, weft_requests_active: 0 })
  expect(workers.length).toBe(2)
})

it('/stats/prometheus: counts add up, the histogram ends with all of them', async () => {
  const { type, text } = await get('/stats/prometheus')
  expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
  const value = (pattern: RegExp) =>
    text
      .split('\n')
      .filter((line) => pattern.test(line))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  expect(value(/^istio_requests_total\{.*response_code="200"/)).toBe(50)
  expect(value(/^istio_requests_total\{/)).toBe(51)
  expect(value(/^istio_request_duration_milliseconds_bucket\{.*le="\+Inf"/)).toBe(51)
  expect(value(/^weft_downstream_connections_total/)).toBe(6)
  for (const line of text.split('\n')) expect(line).toMatch(/^(|# (HELP|TYPE) \S+ .*|[a-z_]+(\{.*\})? [\d.e+]+)$/)
})

it('/config_dump holds what is in force, with defaults', async () => {
  const { generation, config } = JSON.parse((await get('/config_dump')).text)
  expect(generation).toBe(1)
  expect(config).toMatchObject({
    workers: 2,
    drain: { deadline: 20_000 },
    listeners: [{ name: 'edge', limits: { maxHeaders: 100 } }],
  })
})

it('/clusters counts by endpoint', async () => {
  const [cluster] = JSON.parse((await get('/clusters?format=json')).text)
  expect(cluster).toMatchObject({
    name: 'app',
    endpoints: [{ address: upstream.address, active: 0, requests: 51, failures: 0 }],
  })
  expect(cluster.endpoints[0].idle).toBeGreaterThan(0)
  expect((await get('/clusters')).text).toMatch(
    new RegExp(`^app +${upstream.address} +0 +- +unchecked +0 +51 +0 +\\d+$`, 'm'),
  )
})

it('/ lists them all, anything else is 404, a wrong method 405', async () => {
  const { text } = await get('/')
  for (const path of ['/ready', '/live', '/stats', '/stats/prometheus', '/config_dump', '/clusters', '/drain']) {
    expect(text).toMatch(new RegExp(`(GET|POST) +${path} `))
  }
  expect((await get('/nothing')).status).toBe(404)
  expect((await get('/drain')).status).toBe(405)
  expect((await fetch(`${proxy.admin}/stats`, { method: 'POST' })).status).toBe(405)
})
