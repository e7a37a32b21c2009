/** DestinationRules for some clients of a namespace, seen by two Envoys of one service with different labels. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { type Envoy, listening, startEnvoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let tester: Envoy

beforeAll(async () => {
  steered = await steerMesh()
  tester = await startEnvoy(steered.control.port, { node: 'tester', labels: { track: 'test' } })
  await listening(tester.outbound)
  const versions = await Promise.all(['v1', 'v2'].map((name) => CountedService.start(name)))
  for (const [index, { port }] of versions.entries())
    steered.mesh.register(workload('app', port, { labels: { version: `v${index + 1}` } }))
  await steered.inForce()
})
afterAll(() => steered.close())

const everybody = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: everybody }
spec: { host: app, subsets: [{ name: stable, labels: { version: v1 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app }
spec:
  hosts: [app]
  http:
    - match: [{ uri: { prefix: /next } }]
      route: [{ destination: { host: app, subset: next } }]
    - route: [{ destination: { host: app, subset: stable } }]
---`

const testers = (spec: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: testers }
spec: { host: app, workloadSelector: { matchLabels: { track: test } }, ${spec} }
---`

const fromBoth = async (path = '/') => [
  await tally(20, () => steered.ask('app', path)),
  await tally(20, () => ask(tester.outbound, 'app', path)),
]

describe('a DestinationRule with a selector', () => {
  it('holds for the clients that it selects, in place of the one for all', async () => {
    await steered.apply(everybody + testers('subsets: [{ name: next, labels: { version: v2 } }]'))
    // Of `stable` it says nothing, so that is inherited; `next` is there for nobody else.
    expect(await fromBoth()).toEqual([{ v1: 20 }, { v1: 20 }])
    expect(await fromBoth('/next')).toEqual([{ '503': 20 }, { v2: 20 }])
    await steered.apply(
      testers('subsets: [{ name: next, labels: { version: v1 } }, { name: stable, labels: { version: v2 } }]'),
    )
    expect(await fromBoth()).toEqual([{ v1: 20 }, { v2: 20 }])
    expect(await fromBoth('/next')).toEqual([{ '503': 20 }, { v1: 20 }])
  })

  it('leaves its clients to the one for all when it goes', async () => {
    steered.mesh.delete('DestinationRule', 'testers')
    steered.mesh.apply(everybody.replace('subsets: [', 'subsets: [{ name: next, labels: { version: v2 } }, '))
    await steered.inForce()
    expect(await fromBoth()).toEqual([{ v1: 20 }, { v1: 20 }])
    expect(await fromBoth('/next')).toEqual([{ v2: 20 }, { v2: 20 }])
  })

  it('says to its clients alone what a key is hashed from', async () => {
    await steered.apply(
      `${everybody.split('---')[0]?.replace('subsets:', 'trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-user } } }, subsets:')}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app }
spec: { hosts: [app], http: [{ route: [{ destination: { host: app } }] }] }
---${testers('trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: x-device } } }')}`,
    )
    const users = { headers: { 'x-user': 'one' } }
    const devices = (index: number) => ({ headers: { 'x-device': `${index}`, 'x-user': 'one' } })
    // One user is one endpoint; forty devices of one user are more than one endpoint, but for one in 2^39.
    expect(Object.keys(await tally(40, () => steered.ask('app', '/', users)))).toHaveLength(1)
    expect(Object.keys(await tally(40, (index) => steered.ask('app', '/', devices(index))))).toHaveLength(1)
    expect(Object.keys(await tally(40, (index) => ask(tester.outbound, 'app', '/', devices(index))))).toHaveLength(2)
  })
})
