/** Balancing that prefers the client's own zone, on Envoys that know the zones of their own service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Workload } from '../../../src/control/state/mesh-source.js'
import { CountedService, tally } from '../../kit/counted-service.js'
import { startEnvoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

const places = {
  a: { region: 'east', zone: 'east-a' },
  b: { region: 'east', zone: 'east-b' },
  w: { region: 'west', zone: 'west-a' },
}

let steered: SteeredMesh
/** By the name that they answer with: `a1` to `a3` in the client's zone, `b1` to `b3` beside it, `w1` elsewhere. */
const endpoints: [name: string, port: number][] = []

function register(service: string, health: (name: string) => Workload['health'] = () => 'healthy'): Promise<void> {
  for (const [name, port] of endpoints) {
    const place = places[name.slice(0, 1) as keyof typeof places]
    const id = `${service}-${name}`
    steered.mesh.register(workload(service, port, { id, ...place, health: health(name) }))
  }
  return steered.inForce()
}

const rule = (setting: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: app }
spec:
  host: app
  trafficPolicy:
    loadBalancer: { simple: ROUND_ROBIN, zoneAwareLbSetting: ${setting} }
    outlierDetection: { minHealthPercent: 0 }
---`

const asked = (service: string, count = 42) => tally(count, () => steered.ask(service))
const everywhere = { a1: 6, a2: 6, a3: 6, b1: 6, b2: 6, b3: 6, w1: 6 }

describe.each([
  ['delta', false],
  ['state of the world', true],
])('zoneAwareLbSetting, %s', (_, stateOfTheWorld) => {
  beforeAll(async () => {
    steered = await steerMesh({ ...places.a, zoneAware: true, stateOfTheWorld })
    endpoints.length = 0
    for (const name of ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'w1'])
      endpoints.push([name, (await CountedService.start(name)).port])
    // The client's own service: one in each of the two zones, so that half of all clients stand where it stands.
    for (const [index, place] of [places.a, places.b].entries())
      steered.mesh.register(workload('productpage', index + 1, place))
  })
  afterAll(() => steered.close())

  it('keeps requests in the zone of the client, and those for other services go everywhere as before', async () => {
    for (const service of ['app', 'other']) await register(service)
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: other }
spec: { host: other, trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } } }
`)
    // Knowing zones changes nothing where nobody asked for it.
    expect(await asked('other')).toEqual(everywhere)
    await steered.apply(rule('{}'))
    expect(await asked('app')).toEqual({ a1: 14, a2: 14, a3: 14 })
    expect(await asked('other')).toEqual(everywhere)
  })

  it('sends on what its zone has no room for', async () => {
    for (const name of ['a2', 'a3']) steered.mesh.deregister(`app-${name}`)
    await steered.apply(rule('{ minClusterSize: 4 }'))
    const { a1 = 0, ...others } = await asked('app', 600)
    // A quarter of the endpoints for a half of the clients: every second request stays, by chance (5 sigma are 62).
    expect(a1).toBeGreaterThan(300 - 62)
    expect(a1).toBeLessThan(300 + 62)
    expect(Object.keys(others).sort()).toEqual(['b1', 'b2', 'b3'])
  })

  it('looks at regions first, and at zones only where there are as many endpoints as are asked for', async () => {
    await register('app')
    await steered.apply(rule('{ minClusterSize: 7 }'))
    expect(await asked('app')).toEqual({ a1: 7, a2: 7, a3: 7, b1: 7, b2: 7, b3: 7 })
    await register('app', (name) => (name === 'w1' ? 'healthy' : 'unhealthy'))
    expect(await asked('app')).toEqual({ w1: 42 })
    await register('app')
    await steered.apply(rule('{ enabled: false }'))
    expect(await asked('app')).toEqual(everywhere)
  })

  it('is not in force on an Envoy that does not know its own service, and the verdict says so', async () => {
    const unaware = await startEnvoy(steered.control.port, { node: 'unaware', stateOfTheWorld, ...places.a })
    steered.mesh.apply(rule('{}'))
    await expect
      .poll(async () => {
        const verdicts = await steered.control.settled(steered.mesh.current().revision, 10_000)
        return verdicts.map(({ node, issues }) => [node, ...issues.map(({ message }) => message)])
      })
      .toEqual([
        ['test'],
        ['unaware', expect.stringContaining('has no effect on unaware: its bootstrap does not name its own service')],
      ])
    expect(await asked('app')).toEqual({ a1: 14, a2: 14, a3: 14 })
    expect(unaware.program.output).not.toContain('[error]')
  })
})
