import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CountedService, tally } from '../../kit/counted-service.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh

beforeAll(async () => {
  steered = await steerMesh({ region: 'east', zone: 'east-a' })
})
afterAll(() => steered.close())

async function services(service: string, names: string[], more: Parameters<typeof workload>[2][] = []) {
  const started = await Promise.all(names.map((name) => CountedService.start(name)))
  steered.mesh.register(...started.map(({ port }, index) => workload(service, port, more[index])))
  await steered.inForce()
  return started
}

describe('an Envoy with a policy for its calls', () => {
  it('retries on the status codes that a route names, at another endpoint', async () => {
    const [bad, good] = await services('flaky', ['bad', 'good'])
    if (bad === undefined || good === undefined) throw new Error('two services were started')
    bad.answer = (_, response) => response.writeHead(503).end()
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: flaky }
spec:
  parentRefs: [{ group: '', kind: Service, name: flaky }]
  rules: [{ backendRefs: [{ name: flaky, port: 80 }], retry: { codes: [503], attempts: 3 } }]
`)
    expect(await tally(40, () => steered.ask('flaky'))).toEqual({ good: 40 })
    expect(good.requests).toBe(40)
    expect(bad.requests).toBeGreaterThan(5)
  })

  it('ends a request at its timeout', async () => {
    const [slow] = await services('slow', ['slow'])
    if (slow === undefined) throw new Error('a service was started')
    slow.answer = () => {}
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: slow }
spec:
  parentRefs: [{ group: '', kind: Service, name: slow }]
  rules: [{ backendRefs: [{ name: slow, port: 80 }], timeouts: { request: 50ms } }]
`)
    expect((await steered.ask('slow')).status).toBe(504)
  })

  it('ejects an endpoint that keeps failing', async () => {
    const [bad, good] = await services('outlier', ['bad', 'good'])
    if (bad === undefined || good === undefined) throw new Error('two services were started')
    bad.answer = (_, response) => response.writeHead(500).end()
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: outlier }
spec:
  host: outlier
  trafficPolicy:
    loadBalancer: { simple: ROUND_ROBIN }
    outlierDetection: { consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 50 }
`)
    // Envoy ejects on another thread than the one that counts: requests may slip in between.
    const limitAt = performance.now() + 10_000
    while ((await tally(10, () => steered.ask('outlier')))['500'] !== undefined) {
      if (performance.now() > limitAt) throw new Error(`it is not ejected after ${bad.requests} failures`)
    }
    const failed = bad.requests
    expect(failed).toBeGreaterThanOrEqual(3)
    expect(await tally(40, () => steered.ask('outlier'))).toEqual({ good: 40 })
    expect(bad.requests).toBe(failed)
  })

  it('refuses what is over the limits of a circuit breaker', async () => {
    const [held] = await services('limited', ['limited'])
    if (held === undefined) throw new Error('a service was started')
    const release: (() => void)[] = []
    held.answer = (_, response) => release.push(() => response.end('limited'))
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: limited }
spec:
  host: limited
  trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } } }
`)
    const first = steered.ask('limited')
    await held.reached(1)
    // One of the two may wait for the only connection, the other may not.
    const others = [steered.ask('limited'), steered.ask('limited')]
    expect(await Promise.race(others)).toMatchObject({ status: 503, headers: { 'x-envoy-overloaded': 'true' } })
    held.answer = (_, response) => response.end('limited')
    for (const end of release) end()
    expect((await Promise.all([first, ...others])).map(({ status }) => status).sort()).toEqual([200, 200, 503])
  })

  it('injects delays and aborts where a rule asks for them, and nowhere else', async () => {
    const [app] = await services('drill', ['drill'])
    if (app === undefined) throw new Error('a service was started')
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: drill }
spec:
  hosts: [drill]
  http:
    - match: [{ headers: { x-drill: { exact: abort } } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: drill } }]
    - match: [{ headers: { x-drill: { exact: delay } } }]
      fault: { delay: { fixedDelay: 0.2s, percentage: { value: 100 } } }
      route: [{ destination: { host: drill } }]
    - match: [{ headers: { x-drill: { exact: half } } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 50 } } }
      route: [{ destination: { host: drill } }]
    - route: [{ destination: { host: drill } }]
`)
    const drill = (kind: string) => steered.ask('drill', '/', { headers: { 'x-drill': kind } })
    expect(await tally(10, () => drill('abort'))).toEqual({ '418': 10 })
    expect(app.requests).toBe(0)
    expect(await tally(10, () => drill('none'))).toEqual({ drill: 10 })
    const began = performance.now()
    expect((await drill('delay')).status).toBe(200)
    // Envoy's timers and this clock may differ by some milliseconds.
    expect(performance.now() - began).toBeGreaterThanOrEqual(190)
    const half = await tally(200, () => drill('half'))
    expect(half['418']).toBeGreaterThan(60)
    expect(half.drill).toBeGreaterThan(60)
  })

  it('keeps to its zone, fails over to the region that is named, and comes back', async () => {
    const places = [
      { region: 'east', zone: 'east-a' },
      { region: 'east', zone: 'east-b' },
      { region: 'west', zone: 'west-a' },
      { region: 'north', zone: 'north-a' },
    ]
    const [near, region, west, north] = await services('local', ['near', 'region', 'west', 'north'], places)
    if (near === undefined || region === undefined || west === undefined || north === undefined)
      throw new Error('four were started')
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: local }
spec:
  host: local
  trafficPolicy: { loadBalancer: { localityLbSetting: { failover: [{ from: east, to: west }] } } }
`)
    const twenty = () => tally(20, () => steered.ask('local'))
    const health = async (service: CountedService, index: number, to: 'healthy' | 'unhealthy') => {
      steered.mesh.register(workload('local', service.port, { ...places[index], health: to }))
      await steered.inForce()
    }
    expect(await twenty()).toEqual({ near: 20 })
    await health(near, 0, 'unhealthy')
    expect(await twenty()).toEqual({ region: 20 })
    await health(region, 1, 'unhealthy')
    expect(await twenty()).toEqual({ west: 20 })
    await health(near, 0, 'healthy')
    expect(await twenty()).toEqual({ near: 20 })
    expect(north.requests).toBe(0)
  })

  it('sends the same user to the same endpoint', async () => {
    await services('sticky', ['a', 'b', 'c'])
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: sticky }
spec: { host: sticky, trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user, maglev: { tableSize: 251 } } } } }
`)
    const seen = new Set<string>()
    for (let user = 0; user < 12; user += 1) {
      const counts = await tally(5, () => steered.ask('sticky', '/', { headers: { 'x-user': `user-${user}` } }))
      expect(Object.values(counts)).toEqual([5])
      for (const name of Object.keys(counts)) seen.add(name)
    }
    expect(seen.size).toBeGreaterThan(1)
  })
})
