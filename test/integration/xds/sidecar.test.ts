/** What a Sidecar says of listeners: where a workload reaches services, and where it is reached itself. */
import { afterEach, describe, expect, it } from 'vitest'
import { fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { CountedDoor, call, closeDoors, tallyCalls } from '../../kit/counted-door.js'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { outputOf } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { TestAuthority } from '../../kit/test-authority.js'

let steered: SteeredMesh
afterEach(async () => {
  await closeDoors()
  await steered.close()
})

const sidecar = (spec: string) => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec: ${spec}
---`

describe('egress with a port', () => {
  it('is reached there and nowhere else, with the routes of its services', async () => {
    const [reviews, next, ratings] = [
      await CountedService.start('reviews'),
      await CountedService.start('next'),
      await CountedService.start('ratings'),
    ]
    const database = await CountedDoor.start('database')
    const [http, tcp] = [await freePort(), await freePort()]
    steered = await steerMesh()
    steered.mesh.register(workload('next', next.port), workload('ratings', ratings.port))
    const entry = (name: string, number: number, protocol: string, to: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec: { hosts: [${name}], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: ${number}, name: main, protocol: ${protocol} }], endpoints: [{ address: 127.0.0.1, ports: { main: ${to} } }] }
---`
    await steered.apply(
      entry('reviews', http, 'HTTP', reviews.port) +
        entry('database', tcp, 'TCP', database.port) +
        sidecar(`
  egress:
    - { hosts: [./reviews], port: { number: ${http}, protocol: HTTP, name: http } }
    - { hosts: [./database], bind: 127.0.0.9, port: { number: ${tcp}, protocol: TCP, name: tcp }, captureMode: NONE }
    - { hosts: [./ratings] }
  outboundTrafficPolicy: { mode: REGISTRY_ONLY }
`),
    )
    await listening(http)
    expect(await tally(10, () => ask(http, 'reviews'))).toEqual({ reviews: 10 })
    expect((await ask(http, 'ratings')).status).toBe(404)
    expect((await steered.ask('reviews')).status).toBe(404)
    expect(await tally(10, () => steered.ask('ratings'))).toEqual({ ratings: 10 })
    expect((await steered.ask('elsewhere.example')).status).toBe(404)
    expect(await tallyCalls(10, tcp, { to: '127.0.0.9' })).toEqual({ database: 10 })
    expect(await tallyCalls(1, tcp)).toEqual({ closed: 1 })

    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec: { parentRefs: [{ group: '', kind: Service, name: reviews }], rules: [{ backendRefs: [{ name: next, port: 1 }] }] }
`)
    expect(await tally(10, () => ask(http, 'reviews'))).toEqual({ next: 10 })
    expect([reviews.requests, next.requests, ratings.requests]).toEqual([10, 10, 10])
    // Another port, while the first one goes.
    const later = await freePort()
    await steered.apply(
      entry('reviews', later, 'HTTP', reviews.port) +
        sidecar(`{ egress: [{ hosts: [./reviews], port: { number: ${later}, protocol: HTTP, name: http } }] }`),
    )
    await listening(later)
    expect(await tally(5, () => ask(later, 'reviews'))).toEqual({ next: 5 })
    expect((await steered.ask('ratings')).status).toBe(404)
  })
})

describe('ingress', () => {
  it('takes requests, connections and TLS of clients outside at ports of its own', async () => {
    const folder = scratchFolder()
    const authority = await TestAuthority.create(folder, scratchFolder())
    await authority.identity('reviews')
    await authority.named('default/reviews-cert', 'www.reviews.example')
    const certificates = fileCertificates(folder)
    const [app, admin] = [await CountedService.start('app'), await CountedService.start('admin')]
    const database = await CountedDoor.start('database')
    const [plain, tcp, https] = [await freePort(), await freePort(), await freePort()]
    steered = await steerMesh(
      { service: 'reviews', app: `127.0.0.1:${app.port}` },
      { certificates, mesh: { trustDomain: 'shop.example' } },
    )
    await listening(steered.envoy.inbound)
    const ingress = (more = '') =>
      sidecar(`
  ingress:
    - { port: { number: ${plain}, protocol: HTTP, name: http }, defaultEndpoint: '127.0.0.1:${admin.port}' }
    - { port: { number: ${tcp}, protocol: TCP, name: tcp }, bind: 127.0.0.8, defaultEndpoint: '127.0.0.1:${database.port}' }
    - { port: { number: ${https}, protocol: HTTPS, name: https }, defaultEndpoint: '127.0.0.1:${app.port}', tls: { mode: SIMPLE, credentialName: reviews-cert } }
  ${more}
`)
    await steered.apply(ingress())
    await listening(plain)
    await listening(https)
    expect(await tally(10, () => ask(plain, 'reviews'))).toEqual({ admin: 10 })
    // Who waits for the server waits until it is plain that no TLS comes.
    expect(await tallyCalls(1, tcp, { to: '127.0.0.8' })).toEqual({ database: 1 })
    expect(await tallyCalls(10, tcp, { to: '127.0.0.8', first: 'hello' })).toEqual({ database: 10 })
    const url = `https://www.reviews.example:${https}/`
    const curl = () =>
      outputOf('curl', [
        ...['-s', '-w', ' %{http_code}', '--cacert', `${folder}/roots.pem`],
        ...['--resolve', `www.reviews.example:${https}:127.0.0.1`, url],
      ])
    expect(await curl()).toBe('app 200')
    // What the bootstrap says holds no more.
    await expect.poll(() => ask(steered.envoy.inbound, 'reviews', '/', fresh).then(Boolean, () => false)).toBe(false)
    expect([app.requests, admin.requests]).toEqual([1, 10])

    await steered.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: who }
spec: { selector: { matchLabels: { app: reviews } }, action: DENY, rules: [{ to: [{ operation: { ports: ['${plain}'] } }] }] }
`)
    expect((await ask(plain, 'reviews')).status).toBe(403)
    expect(await curl()).toBe('app 200')

    steered.mesh.delete('Sidecar', 'default')
    await steered.inForce()
    await listening(steered.envoy.inbound)
    expect(await tally(5, () => ask(steered.envoy.inbound, 'reviews'))).toEqual({ app: 5 })
    certificates.close()
  })

  it('limits what the application is given at once', async () => {
    const database = await CountedDoor.start('database')
    const port = await freePort()
    steered = await steerMesh({ service: 'database' })
    const limited = (pool: string) =>
      sidecar(
        `{ ${pool}, ingress: [{ port: { number: ${port}, protocol: TCP, name: tcp }, bind: 127.0.0.1, defaultEndpoint: '127.0.0.1:${database.port}' }] }`,
      )
    await steered.apply(limited('inboundConnectionPool: { tcp: { maxConnections: 2 } }'))
    await listening(port)
    let open: Awaited<ReturnType<typeof call>>[] = []
    const openTwo = async () => {
      for (const caller of open) caller.close()
      open = [await call(port), await call(port)]
      return open.map(({ name }) => name)
    }
    // The call that saw the port open takes up room until Envoy has noticed its end.
    await expect.poll(openTwo).toEqual(['database', 'database'])
    expect((await call(port)).name).toBeNull()
    expect(database.open).toBe(2)
    await expect.poll(openTwo).toEqual(['database', 'database'])
    for (const caller of open) caller.close()
  })
})

const fresh = { headers: { connection: 'close' } }
