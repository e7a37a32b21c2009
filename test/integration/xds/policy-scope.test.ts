/** Whom a policy is for, in requests that two Envoys of one service refuse or let through. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, CountedService } from '../../kit/counted-service.js'
import { type Envoy, listening, startEnvoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let app: CountedService
const doors: Record<string, Envoy> = {}

beforeAll(async () => {
  app = await CountedService.start('app')
  steered = await steerMesh({ node: 'page-1', service: 'page' })
  const plane = { app: `127.0.0.1:${app.port}`, service: 'reviews' }
  const one = { ...plane, node: 'reviews-1', labels: { version: 'v1' } }
  // Who it is is not for its labels to say.
  const two = {
    ...plane,
    node: 'reviews-2',
    labels: { version: 'v2', 'weft.io/node': 'reviews-1', 'weft.io/service': 'x' },
  }
  const other = { ...plane, node: 'ratings-1', service: 'ratings', labels: { version: 'v1' } }
  for (const door of [one, two, other]) doors[door.node] = await startEnvoy(steered.control.port, door)
  for (const { inbound } of Object.values(doors)) await listening(inbound)
  steered.mesh.register(workload('reviews', doors['reviews-1']?.inbound ?? 0))
  await steered.inForce()
})
afterAll(() => steered.close())

const deny = (target: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: closed }
spec: { ${target}action: DENY, rules: [{}] }
`

/** Which of the doors let a request through, as the application has counted. */
async function open(): Promise<string[]> {
  const found: string[] = []
  for (const [node, { inbound }] of Object.entries(doors)) {
    const before = app.requests
    const { status } = await ask(inbound, 'reviews')
    expect([status, app.requests - before]).toEqual(status === 200 ? [200, 1] : [403, 0])
    if (status === 200) found.push(node)
  }
  return found
}

const selector = (label: string, value: string) => `selector: { matchLabels: { ${label}: ${value} } }, `

describe('a policy', () => {
  it.each([
    ['a namespace', '', []],
    ['a service', "targetRefs: [{ kind: Service, group: '', name: reviews }], ", ['ratings-1']],
    ['a service by its label', selector('weft.io/service', 'reviews'), ['ratings-1']],
    ['a workload by its labels', selector('version', 'v1'), ['reviews-2']],
    ['one node', selector('weft.io/node', 'reviews-1'), ['reviews-2', 'ratings-1']],
    ['nobody here', selector('app', 'absent'), ['reviews-1', 'reviews-2', 'ratings-1']],
  ])('is for %s', async (_, target, wanted) => {
    expect(await open()).toEqual(['reviews-1', 'reviews-2', 'ratings-1'])
    await steered.apply(deny(target))
    expect(await open()).toEqual(wanted)
    steered.mesh.delete('AuthorizationPolicy', 'closed')
    await steered.inForce()
  })

  it('for a service on the side of its clients changes what they do, and nothing at its own door', async () => {
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ directResponse: { status: 418 } }] }
`)
    const before = app.requests
    expect((await steered.ask('reviews')).status).toBe(418)
    expect(app.requests).toBe(before)
    expect(await open()).toEqual(['reviews-1', 'reviews-2', 'ratings-1'])
  })
})
