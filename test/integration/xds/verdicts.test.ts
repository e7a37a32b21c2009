import { afterEach, describe, expect, it } from 'vitest'
import { CountedService, tally } from '../../kit/counted-service.js'
import { startEnvoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
afterEach(() => steered.close())

const route = (name: string, service: string, match: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${service} }]
  rules: [{ matches: [${match}], backendRefs: [{ name: ${service}, port: 80 }] }]
`

describe.each([{ stateOfTheWorld: false }, { stateOfTheWorld: true }])(
  'a verdict, state of the world: $stateOfTheWorld',
  ({ stateOfTheWorld }) => {
    it('names the resource that a data plane refuses, keeps the last good state there, and takes the mended one', async () => {
      const app = await CountedService.start('app')
      steered = await steerMesh({ stateOfTheWorld })
      const { mesh, control } = steered
      mesh.register(workload('app', app.port), workload('other', app.port))
      await steered.apply(route('app', 'app', '{ path: { value: / } }'))
      expect(await tally(5, () => steered.ask('app'))).toEqual({ app: 5 })

      mesh.apply(route('broken', 'other', "{ path: { type: RegularExpression, value: '/bad[' } }"))
      const [verdict] = await control.settled(mesh.current().revision, 10_000)
      expect(verdict?.state).toBe('refused')
      expect(verdict?.issues.map(({ code, origin }) => ({ code, name: origin?.name, path: origin?.path }))).toEqual([
        { code: 'WEFT_XDS_REFUSED', name: 'broken', path: 'spec.rules[0]' },
      ])
      expect(verdict?.issues[0]?.message).toContain('missing ]')
      expect(await tally(5, () => steered.ask('app'))).toEqual({ app: 5 })

      await steered.apply(route('broken', 'other', '{ path: { value: /good } }'))
      expect((await steered.ask('other', '/good')).status).toBe(200)
      expect(control.planes()).toMatchObject([
        { lastRefusal: expect.stringContaining('missing ]'), revision: mesh.current().revision },
      ])
    })
  },
)

describe('a mesh of several data planes', () => {
  it('is applied on all of them, each with what it may reach', async () => {
    const app = await CountedService.start('app')
    steered = await steerMesh({ node: 'a', service: 'productpage' })
    const { mesh, control } = steered
    const narrow = await startEnvoy(control.port, { node: 'b', service: 'narrow' })
    mesh.register(workload('app', app.port), workload('secret', app.port))
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow }
spec: { workloadSelector: { labels: { app: narrow } }, egress: [{ hosts: [./app] }] }
`)
    expect(
      control
        .planes()
        .map(({ node }) => node.id)
        .sort(),
    ).toEqual(['a', 'b'])
    const clusters = await fetch(`http://127.0.0.1:${narrow.admin}/clusters?format=json`).then((response) =>
      response.json(),
    )
    const names = (clusters as { cluster_statuses: { name: string }[] }).cluster_statuses.map(({ name }) => name)
    expect(names).toContain('default/app/main')
    expect(names).not.toContain('default/secret/main')
    expect((await steered.ask('secret')).status).toBe(200)
  })

  it('loses no request while services and routes come and go', async () => {
    const [one, two] = [await CountedService.start('one'), await CountedService.start('two')]
    steered = await steerMesh()
    const { mesh } = steered
    mesh.register(workload('one', one.port), workload('two', two.port), workload('front', one.port))
    await steered.inForce()
    let running = true
    const counts: Record<string, number> = {}
    const load = (async () => {
      while (running) {
        const { status, body } = await steered.ask('front')
        const key = status === 200 ? body : String(status)
        counts[key] = (counts[key] ?? 0) + 1
      }
    })()
    for (let round = 0; round < 10; round += 1) {
      const target = round % 2 === 0 ? 'two' : 'one'
      await steered.apply(
        route('front', 'front', '{ path: { value: / } }').replace('name: front, port', `name: ${target}, port`),
      )
      // The cluster that no route names any more goes away under load.
      mesh.deregister(`extra-${two.port}`)
      mesh.register(workload('extra', two.port))
      await steered.inForce()
    }
    running = false
    await load
    expect(Object.keys(counts).sort()).toEqual(['one', 'two'])
  })
})
