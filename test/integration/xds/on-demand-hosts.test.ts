/** Envoy's virtual host discovery: a sidecar asks for a host when it is first used, and holds no other. */
import { afterEach, describe, expect, it } from 'vitest'
import { startXdsServer } from '../../../src/control/xds/server.js'
import { CountedService, tally } from '../../kit/counted-service.js'
import type { Envoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
afterEach(() => steered.close())

const canary = (weight: number) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - backendRefs: [{ name: v1, port: 80, weight: ${100 - weight} }, { name: v2, port: 80, weight: ${weight} }]
`

interface RouteDump {
  configs: { route_config: { name: string; virtual_hosts?: { domains: string[] }[] } }[]
}

/** The names of the outbound hosts that an Envoy holds. */
async function heldHosts({ admin }: Envoy): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${admin}/config_dump?resource=dynamic_route_configs`)
  const { configs } = (await response.json()) as RouteDump
  const outbound = configs.find(({ route_config }) => route_config.name === 'outbound')
  return (outbound?.route_config.virtual_hosts ?? []).flatMap(({ domains }) => domains).sort()
}

const stat = async ({ admin }: Envoy, name: string) =>
  Number((await (await fetch(`http://127.0.0.1:${admin}/stats?filter=${name}`)).text()).split(': ')[1])

describe('an Envoy with hosts on demand', () => {
  it('holds the hosts that it was asked for, and each of their changes comes alone', async () => {
    const [v1, v2] = [await CountedService.start('v1'), await CountedService.start('v2')]
    steered = await steerMesh({ onDemandHosts: true })
    const { mesh, envoy } = steered
    mesh.register(workload('v1', v1.port), workload('v2', v2.port), workload('reviews', v1.port))
    await steered.apply(canary(0))
    expect(await heldHosts(envoy)).toEqual([])
    expect(await tally(5, () => steered.ask('reviews'))).toEqual({ v1: 5 })
    expect(await heldHosts(envoy)).toEqual(['reviews'])
    const tables = await stat(envoy, 'http.outbound.rds.outbound.update_success')

    await steered.apply(canary(100))
    expect(await tally(5, () => steered.ask('reviews'))).toEqual({ v2: 5 })
    expect(await stat(envoy, 'http.outbound.rds.outbound.update_success')).toBe(tables)
    expect(await heldHosts(envoy)).toEqual(['reviews'])
  })

  it('is told at once that a host is not there, and gets it when it has come', async () => {
    const late = await CountedService.start('late')
    steered = await steerMesh({ onDemandHosts: true })
    const { mesh, envoy } = steered
    expect((await steered.ask('late')).status).toBe(404)
    expect((await steered.ask('late')).status).toBe(404)
    mesh.register(workload('late', late.port))
    await steered.inForce()
    expect(await tally(3, () => steered.ask('late'))).toEqual({ late: 3 })
    mesh.deregister(`late-${late.port}`)
    await steered.inForce()
    expect((await steered.ask('late')).status).toBe(404)
    expect(await heldHosts(envoy)).toEqual([])
    mesh.register(workload('late', late.port))
    await steered.inForce()
    expect((await steered.ask('late:80')).body).toBe('late')
    expect((await steered.ask('late', '/', { method: 'POST', body: 'x'.repeat(1000) })).body).toBe('late')
    expect((await steered.ask('late.default', '/', { method: 'POST', body: 'x'.repeat(1000) })).body).toBe('late')
    expect(await heldHosts(envoy)).toEqual(['late', 'late.default', 'late:80'])
  })

  it('asks for a host that matches better although it holds one that would do', async () => {
    const [any, one] = [await CountedService.start('any'), await CountedService.start('one')]
    steered = await steerMesh({ onDemandHosts: true })
    steered.mesh.register(workload('any', any.port), workload('one', one.port))
    const to = (name: string, host: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: ['${host}'], http: [{ route: [{ destination: { host: ${name} } }] }] }
`
    await steered.apply(`${to('any', '*.example')}---${to('one', 'one.example')}`)
    expect((await steered.ask('other.example')).body).toBe('any')
    expect((await steered.ask('one.example')).body).toBe('one')
    expect(await heldHosts(steered.envoy)).toEqual(['one.example', 'other.example'])
  })

  it('answers 404 at once for a host whose routes it refuses, names the resource, and takes the mended one', async () => {
    const app = await CountedService.start('app')
    steered = await steerMesh({ onDemandHosts: true })
    const { mesh, control } = steered
    mesh.register(workload('app', app.port))
    const route = (value: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: app }
spec:
  parentRefs: [{ group: '', kind: Service, name: app }]
  rules: [{ matches: [{ path: { type: RegularExpression, value: '${value}' } }], backendRefs: [{ name: app, port: 80 }] }]
`
    // Nobody has asked for it, so nobody has looked at it.
    await steered.apply(route('/bad['))
    expect((await steered.ask('app')).status).toBe(404)
    expect((await steered.ask('app')).status).toBe(404)
    const [verdict] = await control.settled(mesh.current().revision, 10_000)
    expect(verdict?.issues.map(({ origin }) => `${origin?.name} ${origin?.path}`)).toEqual(['app spec.rules[0]'])
    await steered.apply(route('/.*'))
    expect((await steered.ask('app')).body).toBe('app')
  })

  it('keeps its hosts while the control plane is away, and hears what changed when it comes back', async () => {
    const [v1, v2] = [await CountedService.start('v1'), await CountedService.start('v2')]
    steered = await steerMesh({ onDemandHosts: true })
    const { mesh, control, envoy } = steered
    mesh.register(workload('v1', v1.port), workload('v2', v2.port), workload('reviews', v1.port))
    mesh.register(workload('going', v1.port))
    await steered.apply(canary(0))
    expect([(await steered.ask('reviews')).body, (await steered.ask('going')).status]).toEqual(['v1', 200])
    await control.close()
    expect((await steered.ask('reviews')).body).toBe('v1')
    mesh.apply(canary(100))
    mesh.deregister(`going-${v1.port}`)
    const again = await startXdsServer({ source: mesh, address: `127.0.0.1:${control.port}`, quietMs: 10 })
    try {
      await expect.poll(async () => (await steered.ask('reviews')).body, { timeout: 10_000 }).toBe('v2')
      await expect.poll(() => heldHosts(envoy), { timeout: 10_000 }).toEqual(['reviews'])
    } finally {
      await again.close()
    }
  })

  it('has all of them where it speaks state of the world', async () => {
    const app = await CountedService.start('app')
    steered = await steerMesh({ onDemandHosts: true, stateOfTheWorld: true })
    steered.mesh.register(workload('app', app.port))
    await steered.inForce()
    expect(await heldHosts(steered.envoy)).toContain('app')
    expect((await steered.ask('app')).body).toBe('app')
  })
})
