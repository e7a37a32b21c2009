import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CountedService, tally } from '../../kit/counted-service.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let v1: CountedService
let v2: CountedService

beforeAll(async () => {
  ;[v1, v2] = [await CountedService.start('v1'), await CountedService.start('v2')]
  steered = await steerMesh()
  steered.mesh.register(
    workload('reviews', v1.port, { labels: { version: 'v1' } }),
    workload('reviews', v2.port, { labels: { version: 'v2' } }),
    workload('reviews-v1', v1.port),
    workload('reviews-v2', v2.port),
  )
  await steered.inForce()
})
afterAll(() => steered.close())

const reviews = (path = '/', options = {}) => steered.ask('reviews', path, options)

describe('an Envoy that the control plane steers', () => {
  it('reaches a registered service under each of its names', async () => {
    for (const host of ['reviews-v1', 'reviews-v1:9080', 'reviews-v1.default', 'reviews-v1.default.svc.cluster.local'])
      expect(await steered.ask(host)).toMatchObject({ status: 200, body: 'v1' })
    expect((await steered.ask('nobody')).status).toBe(404)
  })

  it('shifts a canary by weights and sends testers to the new version', async () => {
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - matches: [{ headers: [{ name: end-user, value: tester }] }]
      backendRefs: [{ name: reviews-v2, port: 9080 }]
    - backendRefs: [{ name: reviews-v1, port: 9080, weight: 90 }, { name: reviews-v2, port: 9080, weight: 10 }]
`)
    expect(await tally(20, () => reviews('/', { headers: { 'end-user': 'tester' } }))).toEqual({ v2: 20 })
    const shares = await tally(1000, () => reviews())
    expect(shares.v1).toBeGreaterThan(850)
    expect(shares.v2).toBeGreaterThan(50)
    expect((shares.v1 ?? 0) + (shares.v2 ?? 0)).toBe(1000)
  })

  it('answers 500 for the share of a canary whose service is not there', async () => {
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - backendRefs: [{ name: reviews-v1, port: 9080, weight: 1 }, { name: reviews-v3, port: 9080, weight: 1 }]
`)
    const shares = await tally(100, () => reviews())
    expect(shares.v1).toBeGreaterThan(20)
    expect(shares['500']).toBeGreaterThan(20)
  })

  it('matches by path element, method and query, rewrites, changes headers and redirects', async () => {
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /old } }]
      filters: [{ type: RequestRedirect, requestRedirect: { hostname: new.example, statusCode: 301 } }]
    - matches: [{ path: { type: PathPrefix, value: /api } }]
      filters:
        - { type: URLRewrite, urlRewrite: { hostname: inside, path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }
        - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-env, value: 100% }], remove: [x-debug] } }
      backendRefs: [{ name: reviews-v1, port: 9080 }]
    - matches: [{ method: POST }, { queryParams: [{ name: version, value: '2' }] }]
      backendRefs: [{ name: reviews-v2, port: 9080 }]
`)
    expect(await reviews('/old/x')).toMatchObject({ status: 301, headers: { location: 'http://new.example/old/x' } })
    expect((await reviews('/older')).status).toBe(404)
    expect(await reviews('/api/list', { headers: { 'x-debug': '1' } })).toMatchObject({ body: 'v1' })
    expect(v1.last).toMatchObject({ path: '/list', headers: { host: 'inside', 'x-env': '100%' } })
    expect(v1.last?.headers['x-debug']).toBeUndefined()
    expect(await reviews('/', { method: 'POST' })).toMatchObject({ body: 'v2' })
    expect(await reviews('/?version=2')).toMatchObject({ body: 'v2' })
    expect((await reviews('/?version=1')).status).toBe(404)
  })

  it('changes headers for one of two services, and answers preflights of origins that may ask', async () => {
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - filters:
        - { type: CORS, cors: { allowOrigins: ['https://*.shop.example', 'https://one.example:8443'], allowMethods: [PUT], allowHeaders: [x-user], allowCredentials: true, maxAge: 60 } }
      backendRefs:
        - { name: reviews-v1, port: 9080 }
        - name: reviews-v2
          port: 9080
          filters:
            - { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-canary, value: 'yes' }] } }
            - { type: ResponseHeaderModifier, responseHeaderModifier: { add: [{ name: x-served-by, value: canary }] } }
`)
    const marks = await tally(100, async () => {
      const answer = await reviews()
      return { ...answer, body: `${answer.body} ${answer.headers['x-served-by'] ?? 'plain'}` }
    })
    expect(Object.keys(marks).sort()).toEqual(['v1 plain', 'v2 canary'])
    expect(v1.last?.headers['x-canary']).toBeUndefined()
    expect(v2.last?.headers['x-canary']).toBe('yes')

    const preflight = (origin: string) =>
      reviews('/', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } })
    for (const origin of ['https://a.b.shop.example', 'https://one.example:8443'])
      expect(await preflight(origin)).toMatchObject({
        status: 200,
        headers: {
          'access-control-allow-origin': origin,
          'access-control-allow-methods': 'PUT',
          'access-control-allow-headers': 'x-user',
          'access-control-allow-credentials': 'true',
          'access-control-max-age': '60',
        },
      })
    for (const origin of [
      'https://shop.example',
      'https://a.shop.example.evil',
      'https://one.example',
      'http://a.shop.example',
    ])
      expect((await preflight(origin)).headers['access-control-allow-origin']).toBeUndefined()
  })

  it('keeps the list order of a VirtualService, chooses subsets by labels and mirrors', async () => {
    steered.mesh.delete('HTTPRoute', 'canary')
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ uri: { prefix: /mir } }]
      route: [{ destination: { host: reviews, subset: v1 } }]
      mirror: { host: reviews, subset: v2 }
    - match: [{ headers: { end-user: { regex: t.st.r } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - route: [{ destination: { host: reviews, subset: v1 } }]
`)
    expect(await tally(10, () => reviews('/', { headers: { 'end-user': 'tester' } }))).toEqual({ v2: 10 })
    expect(await tally(10, () => reviews())).toEqual({ v1: 10 })
    const before = v2.requests
    expect(await tally(20, () => reviews('/mirror'))).toEqual({ v1: 20 })
    await v2.reached(before + 20)
    expect(v2.last?.headers.host).toBe('reviews-shadow')
  })

  it('forgets a service whose last workload left', async () => {
    steered.mesh.deregister(`reviews-v1-${v1.port}`)
    await steered.inForce()
    expect((await steered.ask('reviews-v1')).status).toBe(404)
  })
})
