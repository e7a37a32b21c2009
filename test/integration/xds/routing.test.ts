import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startXdsServer, type XdsServer } from '../../../src/control/xds/server.js'
import { ask, CountedService, closeServices, tally } from '../../kit/counted-service.js'
import { type Envoy, listening, startEnvoy } from '../../kit/envoy.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'
import { endPrograms } from '../../kit/program.js'

let mesh: MemoryMesh
let control: XdsServer
let envoy: Envoy
let v1: CountedService
let v2: CountedService

beforeAll(async () => {
  mesh = new MemoryMesh()
  ;[v1, v2] = [await CountedService.start('v1'), await CountedService.start('v2')]
  mesh.register(
    workload('reviews', v1.port, { labels: { version: 'v1' } }),
    workload('reviews', v2.port, { labels: { version: 'v2' } }),
    workload('reviews-v1', v1.port),
    workload('reviews-v2', v2.port),
  )
  control = await startXdsServer({ source: mesh, address: '127.0.0.1:0' })
  envoy = await startEnvoy(control.port, {})
  await listening(envoy.outbound)
})

afterAll(async () => {
  await endPrograms()
  await control.close()
  await closeServices()
})

/** Applies and waits for the only data plane; anything but `applied` fails the test. */
async function applied(revision: number): Promise<void> {
  const verdicts = await control.settled(revision, 10_000)
  expect(verdicts.map(({ state, issues }) => ({ state, issues }))).toEqual([{ state: 'applied', issues: [] }])
}

const reviews = (path = '/', options = {}) => ask(envoy.outbound, 'reviews', path, options)

describe('an Envoy that the control plane steers', () => {
  it('reaches a registered service under each of its names', async () => {
    for (const host of ['reviews-v1', 'reviews-v1:9080', 'reviews-v1.default', 'reviews-v1.default.svc.cluster.local'])
      expect(await ask(envoy.outbound, host)).toMatchObject({ status: 200, body: 'v1' })
    expect((await ask(envoy.outbound, 'nobody')).status).toBe(404)
  })

  it('shifts a canary by weights and sends testers to the new version', async () => {
    await applied(
      mesh.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - matches: [{ headers: [{ name: end-user, value: tester }] }]
      backendRefs: [{ name: reviews-v2, port: 9080 }]
    - backendRefs: [{ name: reviews-v1, port: 9080, weight: 90 }, { name: reviews-v2, port: 9080, weight: 10 }]
`),
    )
    expect(await tally(20, () => reviews('/', { headers: { 'end-user': 'tester' } }))).toEqual({ v2: 20 })
    const shares = await tally(1000, () => reviews())
    expect(shares.v1).toBeGreaterThan(850)
    expect(shares.v2).toBeGreaterThan(50)
    expect((shares.v1 ?? 0) + (shares.v2 ?? 0)).toBe(1000)
  })
})
