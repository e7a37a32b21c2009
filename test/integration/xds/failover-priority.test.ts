/** Endpoints tried in the order of labels, as Envoys with different labels see it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lintMesh } from '../../../src/control/compile/lint.js'
import { indexMesh } from '../../../src/control/compile/mesh/mesh.js'
import type { Workload } from '../../../src/control/state/mesh-source.js'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { type Envoy, listening, startEnvoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let other: Envoy

beforeAll(async () => {
  steered = await steerMesh({ region: 'east', zone: 'east-a', labels: { rack: '1', tier: 'gold' } })
  const plane = { node: 'other', region: 'west', zone: 'west-a', labels: { rack: '2', tier: 'gold' } }
  other = await startEnvoy(steered.control.port, plane)
  await listening(other.outbound)
})
afterAll(() => steered.close())

const rule = (name: string, balancer: string, more = 'outlierDetection: { minHealthPercent: 0 }') => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec: { host: ${name}, trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN, localityLbSetting: ${balancer} }, ${more} } }
---`

/** Starts a service for each name; returns how to change one. */
async function services(service: string, places: Record<string, Partial<Workload>>) {
  const ports = new Map<string, number>()
  for (const name of Object.keys(places)) ports.set(name, (await CountedService.start(name)).port)
  const register = (name: string, more: Partial<Workload> = {}) =>
    steered.mesh.register(workload(service, ports.get(name) ?? 0, { ...places[name], ...more }))
  for (const name of Object.keys(places)) register(name)
  await steered.inForce()
  return async (name: string, health: Workload['health']) => {
    register(name, { health })
    await steered.inForce()
  }
}

const fromBoth = async (service: string) => [
  await tally(20, () => steered.ask(service)),
  await tally(20, () => ask(other.outbound, service)),
]

describe('failoverPriority', () => {
  it('sends to endpoints whose leading labels are those of the client, and goes down the list when they fail', async () => {
    const change = await services('app', {
      both: { labels: { rack: '1', tier: 'gold' } },
      first: { labels: { rack: '1', tier: 'iron' } },
      // The second label counts only where the first one matches.
      second: { labels: { rack: '2', tier: 'gold' } },
      neither: { labels: { rack: '3', tier: 'iron' } },
    })
    await steered.apply(rule('app', '{ failoverPriority: [rack, tier] }'))
    expect(await fromBoth('app')).toEqual([{ both: 20 }, { second: 20 }])
    await change('both', 'unhealthy')
    expect(await fromBoth('app')).toEqual([{ first: 20 }, { second: 20 }])
    await change('first', 'unhealthy')
    expect(await fromBoth('app')).toEqual([{ second: 10, neither: 10 }, { second: 20 }])
    await change('second', 'unhealthy')
    expect(await fromBoth('app')).toEqual([{ neither: 20 }, { neither: 20 }])
    await change('both', 'healthy')
    expect(await fromBoth('app')).toEqual([{ both: 20 }, { both: 10, neither: 10 }])
  })

  it('compares with a value that is named, and with the places of clients and endpoints', async () => {
    await services('placed', {
      east: { region: 'east', zone: 'east-a', labels: { version: 'v1' } },
      east2: { region: 'east', zone: 'east-b', labels: { version: 'v2' } },
      west: { region: 'west', zone: 'west-a', labels: { version: 'v1' } },
    })
    await steered.apply(rule('placed', '{ failoverPriority: [topology.kubernetes.io/region, version=v2] }'))
    expect(await fromBoth('placed')).toEqual([{ east2: 20 }, { west: 20 }])
    await steered.apply(rule('placed', '{ failoverPriority: [version=v1, topology.kubernetes.io/zone] }'))
    expect(await fromBoth('placed')).toEqual([{ east: 20 }, { west: 20 }])
  })

  it('has no effect without outlier detection, and `apply` says so', async () => {
    await services('unwatched', { here: { labels: { rack: '1' } }, there: { labels: { rack: '9' } } })
    await steered.apply(rule('unwatched', '{ failoverPriority: [rack] }', ''))
    const said = lintMesh(indexMesh(steered.mesh.current(), null))
    expect(said.map(({ code, origin: { name, path } }) => ({ code, name, path }))).toEqual([
      {
        code: 'WEFT_MESH_NO_EFFECT',
        name: 'unwatched',
        path: 'spec.trafficPolicy.loadBalancer.localityLbSetting.failoverPriority',
      },
    ])
    expect(await fromBoth('unwatched')).toEqual([
      { here: 10, there: 10 },
      { here: 10, there: 10 },
    ])
  })
})
