/** Discovery by DNS against a real name server: records that change, lie still, fail and come back. */
import { createServer as createTcpServer } from 'node:net'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { Knot } from '../../kit/knot.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

interface Discovery {
  name?: string
  port?: number
  refresh?: string
  record?: string
  logical?: boolean
}

/** A proxy whose only cluster is found by this name server. */
function follow(knot: { address: string }, discovery: Discovery, cluster: object = {}): Promise<ProxyProcess> {
  const found = { type: 'dns', name: 'app.weft.test', resolvers: [knot.address], ...discovery }
  return ProxyProcess.start([], { cluster: { endpoints: undefined, discovery: found, ...cluster } })
}

async function ask(proxy: ProxyProcess): Promise<{ status: number; text: string }> {
  const { statusCode, body } = await request(proxy.url)
  return { status: statusCode, text: await body.text() }
}

async function cluster(proxy: ProxyProcess) {
  const found = (await proxy.stats()).clusters[0]
  if (found === undefined) throw new Error('no cluster')
  return found
}

/** Polls the statistics until they show it; a name is asked for by time, and nobody is told. */
async function until(proxy: ProxyProcess, shows: (c: Awaited<ReturnType<typeof cluster>>) => boolean, within = 10_000) {
  const end = performance.now() + within
  for (;;) {
    const now = await cluster(proxy)
    if (shows(now)) return now
    if (performance.now() > end) throw new Error(`not shown in ${within} ms: ${JSON.stringify(now)}`)
  }
}

const addresses = (c: Awaited<ReturnType<typeof cluster>>) => c.endpoints.map(({ address }) => address)

it('the addresses of a name are the endpoints, and a change comes as soon as the TTL allows', async () => {
  const upstream = await Upstream.start('one')
  const other = await Upstream.start('two', upstream.port, '127.0.0.2')
  const knot = await Knot.start(['app 2 A 127.0.0.1'])
  const proxy = await follow(knot, { port: upstream.port })
  await until(proxy, (c) => c.endpoints.length === 1)
  expect(await ask(proxy)).toEqual({ status: 200, text: 'one\n' })
  await knot.change(['app 2 A 127.0.0.1', 'app 2 A 127.0.0.2'])
  const both = await until(proxy, (c) => c.endpoints.length === 2)
  expect(addresses(both)).toEqual([upstream.address, other.address])
  expect(new Set([(await ask(proxy)).text, (await ask(proxy)).text])).toEqual(new Set(['one\n', 'two\n']))
  await knot.change(['app 60 A 127.0.0.2'])
  const moved = await until(proxy, (c) => addresses(c).join() === other.address)
  // The answer may be kept for a minute now: nobody asks before.
  expect(moved.dns?.nextMs).toBeGreaterThan(55_000)
  expect(await ask(proxy)).toEqual({ status: 200, text: 'two\n' })
})

it('`refresh` is the longest wait, whatever the TTL', async () => {
  const upstream = await Upstream.start('one')
  const knot = await Knot.start(['app 3600 A 127.0.0.2'])
  const proxy = await follow(knot, { port: upstream.port, refresh: '1s' })
  expect((await until(proxy, (c) => c.endpoints.length === 1)).dns).toMatchObject({ nextMs: 1_000, failures: 0 })
  await knot.change(['app 3600 A 127.0.0.1'])
  await until(proxy, (c) => addresses(c).join() === upstream.address)
  expect(await ask(proxy)).toEqual({ status: 200, text: 'one\n' })
})

it('a name that does not resolve is answered 503 with its name, until it does', async () => {
  const upstream = await Upstream.start('one')
  const knot = await Knot.start([])
  const proxy = await follow(knot, { port: upstream.port }, {})
  await until(proxy, (c) => (c.dns?.failures ?? 0) > 0)
  const refused = await request(proxy.url)
  expect(refused.statusCode).toBe(503)
  expect(refused.headers['proxy-status']).toContain('error=dns_error')
  expect(await refused.body.text()).toContain('the name app.weft.test of the cluster does not resolve')
  expect((await proxy.stats()).series).toContainEqual(expect.objectContaining({ status: 503, flag: 'DF' }))
  expect((await cluster(proxy)).dns?.error).toBe('app.weft.test has no addresses')
  await knot.change(['app 2 A 127.0.0.1'])
  await until(proxy, (c) => c.endpoints.length === 1)
  expect(await ask(proxy)).toEqual({ status: 200, text: 'one\n' })
})

it('what was found stays when the name server fails, is gone or knows nothing any more', async () => {
  const upstream = await Upstream.start('one')
  const knot = await Knot.start(['app 1 A 127.0.0.1'])
  const { port } = knot
  const proxy = await follow(knot, { port: upstream.port })
  const found = await until(proxy, (c) => c.endpoints.length === 1)
  expect(found.dns?.error).toBeNull()

  const stays = async (error: RegExp) => {
    const failing = await until(proxy, (c) => error.test(c.dns?.error ?? ''), 20_000)
    expect(addresses(failing)).toEqual([upstream.address])
    expect(await ask(proxy)).toEqual({ status: 200, text: 'one\n' })
  }
  await knot.change([])
  await stays(/has no addresses/)
  await knot.kill()
  await stays(/timed out|refused|no connections/i)
  const broken = await Knot.start(null, port)
  await stays(/Server Failure|ServFail/i)
  await broken.kill()
  await Knot.start(['app 1 A 127.0.0.1', 'app 1 A 127.0.0.9'], port)
  expect(addresses(await until(proxy, (c) => c.endpoints.length === 2, 40_000))).toContain(upstream.address)
  expect((await cluster(proxy)).dns?.error).toBeNull()
}, 120_000)

it('the targets of SRV records are endpoints with their ports and weights, those of the best priority only', async () => {
  const [heavy, light, spare] = [
    await Upstream.start('heavy'),
    await Upstream.start('light'),
    await Upstream.start('spare'),
  ]
  const service = (priority: number, weight: number, upstream: Upstream, host: string) =>
    `_http._tcp 60 SRV ${priority} ${weight} ${upstream.port} ${host}`
  const knot = await Knot.start([
    'a 60 A 127.0.0.1',
    service(1, 30, heavy, 'a'),
    service(1, 10, light, 'a'),
    service(5, 10, spare, 'a'),
    service(0, 10, spare, 'nowhere'),
  ])
  const proxy = await follow(knot, { name: '_http._tcp.weft.test', record: 'srv' })
  const found = await until(proxy, (c) => c.endpoints.length === 2)
  const weights = new Map(found.endpoints.map(({ address, weight }) => [address, weight]))
  expect(weights).toEqual(
    new Map([
      [`a.weft.test:${heavy.port}`, 30],
      [`a.weft.test:${light.port}`, 10],
    ]),
  )
  for (let i = 0; i < 40; i += 1) await ask(proxy)
  expect([heavy.requests, light.requests, spare.requests]).toEqual([30, 10, 0])
})

it('a name with an address of each family is one endpoint, reached at whichever answers', async () => {
  const upstream = await Upstream.start('four')
  const knot = await Knot.start(['app 60 A 127.0.0.1', 'app 60 AAAA ::1'])
  const proxy = await follow(knot, { port: upstream.port })
  const found = await until(proxy, (c) => c.endpoints.length === 1)
  expect(addresses(found)).toEqual([`app.weft.test:${upstream.port}`])
  for (let i = 0; i < 5; i += 1) expect(await ask(proxy)).toEqual({ status: 200, text: 'four\n' })
})

it('a logical name is one endpoint: its connections go where one is accepted, its statistics stay when it moves', async () => {
  const upstream = await Upstream.start('one')
  const nobody = '127.0.0.7'
  const { port } = upstream
  const knot = await Knot.start([`app 1 A ${nobody}`, 'app 1 A 127.0.0.1'])
  const proxy = await follow(knot, { port, logical: true })
  await until(proxy, (c) => c.endpoints.length === 1)
  expect(await ask(proxy)).toEqual({ status: 200, text: 'one\n' })
  await Upstream.start('two', port, '127.0.0.2')
  await upstream.close()
  await knot.change(['app 1 A 127.0.0.2'])
  await until(proxy, (c) => (c.dns?.lookups ?? 0) > 2)
  expect(await ask(proxy)).toEqual({ status: 200, text: 'two\n' })
  expect((await cluster(proxy)).endpoints).toEqual([
    expect.objectContaining({ address: `app.weft.test:${port}`, requests: 2 }),
  ])
})

it('an endpoint that a name brings gets its first request after its first check', async () => {
  const one = await Upstream.start('one')
  const { port } = one
  const silent = createTcpServer().listen(port, '127.0.0.2')
  const knot = await Knot.start(['app 1 A 127.0.0.1'])
  const healthCheck = { protocol: 'http', path: '/status/200', interval: '200ms', timeout: '100ms' }
  const proxy = await follow(knot, { port }, { healthCheck })
  await until(proxy, (c) => c.endpoints[0]?.health === 'healthy')
  await knot.change(['app 1 A 127.0.0.1', 'app 1 A 127.0.0.2'])
  await until(proxy, (c) => c.endpoints.length === 2)
  for (let i = 0; i < 20; i += 1) expect(await ask(proxy)).toEqual({ status: 200, text: 'one\n' })
  const now = await until(proxy, (c) => c.endpoints.some(({ health }) => health === 'unhealthy'))
  expect(now.endpoints.map(({ address, requests }) => [address, requests > 0])).toEqual([
    [`127.0.0.1:${port}`, true],
    [`127.0.0.2:${port}`, false],
  ])
  silent.close()
})

it('a reload that leaves the name as it is asks nobody, and one that removes it ends the asking', async () => {
  const upstream = await Upstream.start('one')
  const knot = await Knot.start(['app 3600 A 127.0.0.1'])
  const proxy = await follow(knot, { port: upstream.port })
  const before = await until(proxy, (c) => c.endpoints.length === 1)
  const [first] = proxy.config.clusters ?? []
  expect(await proxy.reload({ ...proxy.config, clusters: [{ ...first, connectTimeout: '2s' }] as never })).toMatch(
    /generation=2/,
  )
  expect(addresses(await cluster(proxy))).toEqual(addresses(before))
  expect((await cluster(proxy)).dns?.lookups).toBe(1)
  expect(await ask(proxy)).toEqual({ status: 200, text: 'one\n' })
  await proxy.reload({ ...proxy.config, clusters: [{ name: 'app', endpoints: [`127.0.0.1:${await freePort()}`] }] })
  expect((await cluster(proxy)).dns).toBeNull()
})
