import { afterAll, beforeAll, expect, it } from 'vitest'
import { lintMesh } from '../../../src/control/compile/lint.js'
import { indexMesh } from '../../../src/control/compile/mesh/mesh.js'
import { CountedService, tally } from '../../kit/counted-service.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let page: CountedService
let reviews: CountedService

beforeAll(async () => {
  ;[page, reviews] = [await CountedService.start('page'), await CountedService.start('reviews')]
  steered = await steerMesh()
  steered.mesh.register(
    workload('page', page.port, { namespace: 'team-a' }),
    workload('reviews', reviews.port, { namespace: 'team-b' }),
  )
  await steered.inForce()
})
afterAll(() => steered.close())

const root = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bookinfo }
spec:
  hosts: [bookinfo.example]
  http:
    - match: [{ uri: { prefix: /page } }]
      delegate: { name: page, namespace: team-a }
      headers: { request: { set: { x-root: 'true' } } }
    - match: [{ uri: { prefix: /reviews } }]
      delegate: { name: reviews, namespace: team-b }
    - directResponse: { status: 418 }`

const ask = (path: string, headers = {}) => steered.ask('bookinfo.example', path, { headers })
const findings = () =>
  lintMesh(indexMesh(steered.mesh.current(), null)).map(({ severity, origin }) => [severity, origin.name, origin.path])

it('takes the rules of the delegates in other namespaces, narrowed to what is left to each', async () => {
  await steered.apply(`${root}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: page, namespace: team-a }
spec:
  http:
    - match: [{ uri: { prefix: /page/v1 }, headers: { x-user: { exact: tester } } }]
      rewrite: { uri: /tested }
      route: [{ destination: { host: page } }]
    - match: [{ uri: { prefix: /reviews } }]
      route: [{ destination: { host: page } }]
    - match: [{ method: { exact: GET } }]
      route: [{ destination: { host: page } }]
      headers: { request: { set: { x-own: 'true' } } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: team-b }
spec: { http: [{ route: [{ destination: { host: reviews } }] }] }`)
  expect(await tally(10, () => ask('/page/v1/x', { 'x-user': 'tester' }))).toEqual({ page: 10 })
  expect(page.last).toMatchObject({ path: '/tested/x', headers: { 'x-root': 'true' } })
  expect(await tally(10, () => ask('/page/v1/x'))).toEqual({ page: 10 })
  expect(page.last).toMatchObject({ path: '/page/v1/x', headers: { 'x-own': 'true' } })
  expect(page.last?.headers['x-root']).toBeUndefined()
  expect(await tally(10, () => ask('/reviews/x'))).toEqual({ reviews: 10 })
  expect((await ask('/other')).status).toBe(418)
  expect([page.requests, reviews.requests]).toEqual([20, 10])
  expect(findings()).toEqual([['error', 'page', 'spec.http[1].match[0]']])
})

it('leaves out a rule whose delegate is not there, and takes it up when there is one', async () => {
  steered.mesh.delete('VirtualService', 'reviews')
  await steered.inForce()
  expect((await ask('/reviews/x')).status).toBe(418)
  expect(findings()).toContainEqual(['error', 'bookinfo', 'spec.http[1].delegate'])
  await steered.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: team-b }
spec: { http: [{ route: [{ destination: { host: reviews } }] }] }`)
  expect(await tally(10, () => ask('/reviews/x'))).toEqual({ reviews: 10 })
})
