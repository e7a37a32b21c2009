import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { type Envoy, listening, startEnvoy } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let canary: Envoy
let v1: CountedService
let v2: CountedService

beforeAll(async () => {
  ;[v1, v2] = [await CountedService.start('v1'), await CountedService.start('v2')]
  steered = await steerMesh()
  canary = await startEnvoy(steered.control.port, {
    ...{ node: 'canary', labels: { track: 'canary' }, region: 'near', zone: 'near-a' },
  })
  await listening(canary.outbound)
  steered.mesh.register(workload('reviews', v1.port), workload('reviews-v2', v2.port))
  await steered.inForce()
})
afterAll(() => steered.close())

const reviews = (path = '/', host = 'reviews') => steered.ask(host, path)
const apply = (rules: string, hosts = 'reviews') =>
  steered.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${hosts} }
spec:
  hosts: [${hosts}]
  http:
${rules}`)

describe('rules of a VirtualService', () => {
  it('hold for the clients that they name by labels and for no others', async () => {
    await apply(`
    - match: [{ sourceLabels: { track: canary } }]
      route: [{ destination: { host: reviews-v2 } }]
    - route: [{ destination: { host: reviews } }]`)
    const [first, second] = [v1.requests, v2.requests]
    expect(await tally(20, () => ask(canary.outbound, 'reviews'))).toEqual({ v2: 20 })
    expect(await tally(20, () => reviews())).toEqual({ v1: 20 })
    expect([v1.requests - first, v2.requests - second]).toEqual([20, 20])
  })

  it('hold at the port that they name, which is the one of a request', async () => {
    await apply(`
    - match: [{ port: 9080 }]
      route: [{ destination: { host: reviews-v2 } }]
    - match: [{ port: 80 }]
      directResponse: { status: 418 }
    - route: [{ destination: { host: reviews } }]`)
    expect(await tally(10, () => reviews('/', 'reviews:9080'))).toEqual({ v2: 10 })
    expect(await tally(10, () => reviews('/', 'reviews.default.svc:9081'))).toEqual({ v1: 10 })
    expect((await reviews('/', 'reviews')).status).toBe(418)
  })

  it('hold at the port of a service that has several', async () => {
    steered.mesh.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: shop }
spec:
  hosts: [shop]
  ports: [{ number: 8080, name: http, protocol: HTTP, targetPort: ${v1.port} }, { number: 9090, name: admin, protocol: HTTP, targetPort: ${v1.port} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]`)
    await apply(
      `
    - match: [{ port: 9090 }]
      route: [{ destination: { host: reviews-v2 } }]
    - route: [{ destination: { host: shop, port: { number: 8080 } } }]`,
      'shop',
    )
    expect(await tally(10, () => reviews('/', 'shop:9090'))).toEqual({ v2: 10 })
    expect(await tally(10, () => reviews('/', 'shop:8080'))).toEqual({ v1: 10 })
  })

  it('count the requests of a match under its prefix', async () => {
    await apply(`
    - match: [{ uri: { prefix: /api }, statPrefix: the-api }]
      route: [{ destination: { host: reviews } }]
    - route: [{ destination: { host: reviews } }]`)
    expect(await tally(7, () => reviews('/api/x'))).toEqual({ v1: 7 })
    expect(await tally(5, () => reviews('/other'))).toEqual({ v1: 5 })
    const stats = async () => (await ask(steered.envoy.admin, 'admin', '/stats?filter=the-api.upstream_rq_total')).body
    await expect.poll(stats).toMatch(/route\.the-api\.upstream_rq_total: 7\b/)
  })

  it('redirect to a derived port and with a prefix in place of the matched one', async () => {
    await apply(`
    - match: [{ uri: { prefix: /default } }]
      redirect: { derivePort: FROM_PROTOCOL_DEFAULT, scheme: https }
    - match: [{ uri: { prefix: /here }, port: 9080 }]
      redirect: { authority: other.example, derivePort: FROM_REQUEST_PORT }
    - match: [{ uri: { prefix: /old/ } }, { uri: { exact: /very-old } }]
      redirect: { prefixRewrite: /new/, redirectCode: 308 }`)
    const location = async (path: string, host?: string) => (await reviews(path, host)).headers.location
    expect(await location('/default/x?y=1', 'reviews:9080')).toBe('https://reviews:443/default/x?y=1')
    expect(await location('/here', 'reviews:9080')).toBe('http://other.example:9080/here')
    expect(await reviews('/old/a/b?c=d')).toMatchObject({
      status: 308,
      headers: { location: 'http://reviews/new/a/b?c=d' },
    })
    expect(await location('/very-old')).toBe('http://reviews/new/')
  })

  it('answer with bytes', async () => {
    const bytes = Buffer.from([0x7b, 0x00, 0x01, 0x7d])
    await apply(`
    - directResponse: { status: 203, body: { bytes: ${bytes.toString('base64')} } }`)
    expect(await reviews()).toMatchObject({ status: 203, body: bytes.toString('latin1') })
  })

  it('retry in other localities where they say so', async () => {
    const failing = await Promise.all(['a', 'b', 'c', 'd'].map((name) => CountedService.start(name)))
    for (const one of failing) one.answer = (_, response) => response.writeHead(503).end()
    const far = await CountedService.start('far')
    steered.mesh.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: stock }
spec: { host: stock, trafficPolicy: { loadBalancer: { localityLbSetting: { enabled: true } }, outlierDetection: { consecutive5xxErrors: 1000000 } } }`)
    steered.mesh.register(
      ...failing.map(({ port }) => workload('stock', port, { region: 'near', zone: 'near-a' })),
      workload('stock', far.port, { region: 'far', zone: 'far-a' }),
    )
    const rule = (more: string) => `
    - route: [{ destination: { host: stock } }]
      retries: { attempts: 3, retryOn: 5xx, backoff: 1ms${more} }`
    await apply(rule(''), 'stock')
    const stock = () => ask(canary.outbound, 'stock')
    expect(await tally(10, stock)).toEqual({ '503': 10 })
    expect([far.requests, failing.reduce((sum, { requests }) => sum + requests, 0)]).toEqual([0, 40])
    await apply(rule(', retryRemoteLocalities: true'), 'stock')
    expect(await tally(10, stock)).toEqual({ far: 10 })
    expect([far.requests, failing.reduce((sum, { requests }) => sum + requests, 0)]).toEqual([10, 60])
  })

  it('hold at the port of a gateway at which requests come in', async () => {
    const [first, second] = [await freePort(), await freePort()]
    await startEnvoy(steered.control.port, { node: 'edge', role: 'gateway', service: 'edge' })
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { app: edge }
  servers:
    - { port: { number: ${first}, name: one, protocol: HTTP }, hosts: ['*'] }
    - { port: { number: ${second}, name: two, protocol: HTTP }, hosts: ['*'] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge }
spec:
  hosts: ['*']
  gateways: [edge]
  http:
    - match: [{ uri: { prefix: /moved } }]
      redirect: { authority: other.example, derivePort: FROM_REQUEST_PORT }
    - match: [{ port: ${second}, sourceLabels: { track: canary }, gateways: [edge] }]
      route: [{ destination: { host: reviews-v2 } }]
    - match: [{ sourceLabels: { app: edge } }]
      route: [{ destination: { host: reviews } }]`)
    await listening(first)
    await listening(second)
    expect(await tally(10, () => ask(first, 'reviews.example'))).toEqual({ v1: 10 })
    expect(await tally(10, () => ask(second, 'reviews.example'))).toEqual({ v2: 10 })
    const { headers } = await ask(second, 'reviews.example', '/moved')
    expect(headers.location).toBe(`http://other.example:${second}/moved`)
  })
})
