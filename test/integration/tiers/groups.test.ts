/** Subsets, panic and an empty source of endpoints, with real servers: who answers, what is said about it. */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { entry, ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

type Answered = { status: number; body: string; by: string | undefined; id: string }

async function ask(url: string, headers: Record<string, string> = {}): Promise<Answered> {
  const id = randomUUID()
  const { statusCode, headers: answered, body } = await request(url, { headers: { 'x-request-id': id, ...headers } })
  const by = answered['x-upstream']
  return { status: statusCode, body: await body.text(), by: by?.toString(), id }
}

async function counted(url: string, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {}
  for (let turn = 0; turn < count; turn++) {
    const { by = '-' } = await ask(url)
    seen[by] = (seen[by] ?? 0) + 1
  }
  return seen
}

const labelled = ({ address }: { address: string }, version: string) => ({ address, labels: { version } })
const byVersion = { keys: [['version']] }

it('a canary of two subsets keeps its shares, and a sticky user stays where the hash says', async () => {
  const [one, two] = [await Upstream.start('v1'), await Upstream.start('v2')]
  const proxy = await ProxyProcess.start([], {
    route: {
      forward: [
        { cluster: 'app', subset: 'v1', weight: 70 },
        { cluster: 'app', subset: { version: 'v2' }, weight: 30 },
      ],
      sticky: { header: 'x-user' },
    },
    cluster: { endpoints: [labelled(one, 'v1'), labelled(two, 'v2')], subsets: byVersion },
  })
  const { v1 = 0, v2 = 0 } = await counted(proxy.url, 400)
  expect(v1 + v2).toBe(400)
  expect(v2).toBeGreaterThan(70)
  expect(v2).toBeLessThan(170)
  const places = new Set<string | undefined>()
  for (let user = 0; user < 20; user++) {
    const asked = () => ask(proxy.url, { 'x-user': `user-${user}` })
    const [first, second] = [await asked(), await asked()]
    expect(second.by).toBe(first.by)
    places.add(first.by)
  }
  expect([...places].sort()).toEqual(['v1', 'v2'])
})

it('a subset without endpoints is a 503 that says why, or goes where its fallback says', async () => {
  const app = await Upstream.start('v1')
  const proxy = await ProxyProcess.launch([], {
    route: { forward: [{ cluster: 'app', subset: 'v9' }] },
    cluster: { endpoints: null, discovery: { type: 'file', path: 'app.yaml' }, subsets: byVersion },
  })
  writeFileSync(join(dirname(proxy.file), 'app.yaml'), JSON.stringify([labelled(app, 'v1')]))
  await proxy.says(' ready in ')
  const refused = await ask(proxy.url)
  expect(refused.status).toBe(503)
  expect(refused.body).toBe(
    'the cluster has no endpoint in the subset that the route asks for: give an endpoint these labels, or set `subsets.fallback`\n',
  )
  const [cluster] = proxy.config.clusters ?? []
  const said = await proxy.reload({
    ...proxy.config,
    clusters: [{ ...cluster, name: 'app', subsets: { ...byVersion, fallback: 'any' } }],
  })
  expect(said).toContain('generation=2')
  const { by, id } = await ask(proxy.url)
  expect(by).toBe('v1')
  const why = await (await fetch(`${proxy.admin}/why/${id}`)).text()
  expect(why).toContain('no endpoint is in the subset that the route asks for')
})

it('nobody healthy: all are used and the log says why; with a threshold of 0 it is a 503', async () => {
  const app = await Upstream.start('app')
  const healthCheck = { protocol: 'http', path: '/status/503', interval: '200ms', unhealthyThreshold: 1 }
  const proxy = await ProxyProcess.start([app.address, `127.0.0.1:${await freePort()}`], { cluster: { healthCheck } })
  await proxy.says(/panic: too few endpoints are healthy.*cluster=app.*0 of 2 healthy/)
  const seen = new Set<number>()
  for (let turn = 0; turn < 10; turn++) seen.add((await ask(proxy.url)).status)
  expect([...seen].sort()).toEqual([200, 503])
  const [cluster] = (await proxy.stats()).clusters
  expect(cluster?.groups[0]?.levels).toMatchObject([{ healthy: 0, endpoints: 2, panicked: true }])

  const [written] = proxy.config.clusters ?? []
  await proxy.reload({ ...proxy.config, clusters: [{ ...written, name: 'app', panicThreshold: 0 }] })
  const { status, body } = await ask(proxy.url)
  expect(status).toBe(503)
  expect(body).toContain('no endpoint of the cluster is healthy, and its `panicThreshold` is 0')
})

it('a source of endpoints that dies takes no priority away', async () => {
  const [near, far] = [await Upstream.start('near'), await Upstream.start('far')]
  const proxy = await ProxyProcess.launch([], {
    cluster: { endpoints: null, discovery: { type: 'file', path: 'app.yaml' } },
  })
  const file = join(dirname(proxy.file), 'app.yaml')
  writeFileSync(file, JSON.stringify([{ address: near.address }, { address: far.address, priority: 1 }]))
  await proxy.says(' ready in ')
  expect(await counted(proxy.url, 10)).toEqual({ near: 10 })
  writeFileSync(file, '[]')
  await proxy.says(/keeps the endpoints it has/)
  expect(await counted(proxy.url, 10)).toEqual({ near: 10 })
  // A gap, which a registry may have for a while: the next priority that exists takes over.
  writeFileSync(file, JSON.stringify([{ address: far.address, priority: 5 }]))
  await proxy.says(/endpoints changed cluster=app/)
  expect(await counted(proxy.url, 10)).toEqual({ far: 10 })
})

it('explain names the subset, its endpoints and how priorities share requests', async () => {
  const endpoints = [
    { address: '127.0.0.1:9081', labels: { version: 'v1' } },
    { address: '127.0.0.1:9181', priority: 1, region: 'west', labels: { version: 'v1' } },
    { address: '127.0.0.1:9082', labels: { version: 'v2' } },
  ]
  const proxy = await ProxyProcess.launch([], {
    route: { forward: [{ cluster: 'app', subset: 'v1' }] },
    cluster: { endpoints, subsets: byVersion },
  })
  const stdout = await outputOf(process.execPath, [entry, 'explain', '-c', proxy.file, 'GET', 'http://any/'])
  expect(stdout).toContain('cluster app (version=v1)  127.0.0.1:9081, 127.0.0.1:9181')
  expect(stdout).toContain('in app (version=v1) priority 0 takes 100 %, 1 of 1 healthy')
  expect(stdout).toContain('in app (version=v1) priority 1 takes 0 %, 1 of 1 healthy')
})
