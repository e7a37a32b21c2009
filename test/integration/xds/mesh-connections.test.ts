/** Connections inside the mesh: an application's Envoy listens for each service that takes them. */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { makeAuthority } from '../../kit/certificates.js'
import { CountedDoor, call, closeDoors, tallyCalls } from '../../kit/counted-door.js'
import { listening, startEnvoy } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { TestAuthority } from '../../kit/test-authority.js'

let steered: SteeredMesh
afterEach(async () => {
  await closeDoors()
  await steered.close()
})

/** A service whose instances register themselves. */
const entry = (name: string, port: number, protocol = 'TCP', more = '') => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec: { hosts: [${name}], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: ${port}, name: main, protocol: ${protocol} }], ${more} }
---`

const route = (
  kind: string,
  name: string,
  parent: string,
  port: number,
  backends: Record<string, number>,
  more = '',
) => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name} }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${parent}, port: ${port} }]
  ${more}
  rules: [{ backendRefs: [${Object.entries(backends).map(([to, weight]) => `{ name: ${to}, port: ${port}, weight: ${weight} }`)}] }]
---`

const sidecar = (name: string, spec: string) => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${name} }
spec: { workloadSelector: { labels: { app: ${name} } }, ${spec} }
---`

const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---`

describe.each([
  ['delta', false],
  ['state of the world', true],
])('connections to a service, %s', (_, stateOfTheWorld) => {
  it('go to it, then as a TCPRoute splits them, and open ones stay where they are', async () => {
    const [one, two] = [await CountedDoor.start('one'), await CountedDoor.start('two')]
    const port = await freePort()
    steered = await steerMesh({ stateOfTheWorld })
    steered.mesh.register(workload('one', one.port), workload('two', two.port))
    await steered.apply(entry('one', port) + entry('two', port, 'TCP', 'addresses: [127.0.0.2]'))
    await listening(port)
    expect(await tallyCalls(20, port)).toEqual({ one: 20 })
    const open = await call(port)

    await steered.apply(route('TCPRoute', 'split', 'one', port, { one: 1, two: 3 }))
    const counts = await tallyCalls(400, port)
    expect((counts.one ?? 0) + (counts.two ?? 0)).toBe(400)
    // 3 of 4: ten standard deviations to either side.
    expect(Math.abs((counts.two ?? 0) - 300)).toBeLessThan(87)
    await steered.apply(route('TCPRoute', 'split', 'one', port, { two: 1 }))
    expect(await tallyCalls(50, port)).toEqual({ two: 50 })
    expect(await open.echo('still here')).toBe('still here')
    open.close()

    steered.mesh.delete('TCPRoute', 'split')
    await steered.inForce()
    expect(await tallyCalls(20, port)).toEqual({ one: 20 })
  })
})

describe('an address on the side of the application', () => {
  it('is told where two data planes of one machine want one address, and goes through the first', async () => {
    const door = await CountedDoor.start('door')
    const port = await freePort()
    steered = await steerMesh({ node: 'first' })
    steered.mesh.register(workload('door', door.port))
    await steered.apply(entry('door', port))
    await listening(port)
    await startEnvoy(steered.control.port, { node: 'second', service: 'other' })
    const states = async () =>
      (await steered.control.settled(steered.mesh.current().revision, 10_000)).map(({ node, state, issues }) => [
        node,
        state,
        issues.map(({ message }) => /cannot bind '127\.0\.0\.1:(\d+)'/.exec(message)?.[1]),
      ])
    await expect.poll(states).toEqual([
      ['first', 'applied', []],
      ['second', 'refused', [String(port)]],
    ])
    expect(await tallyCalls(20, port)).toEqual({ door: 20 })

    // Another address for the one is enough.
    await steered.apply(
      sidecar(
        'other',
        `egress: [{ hosts: [./door], bind: 127.0.0.4, port: { number: ${port}, protocol: TCP, name: door } }]`,
      ),
    )
    expect(await tallyCalls(5, port, { to: '127.0.0.4' })).toEqual({ door: 5 })
  })
})

describe('a VirtualService without gateways', () => {
  it('splits the connections of a port, by subsets and by the port that was called', async () => {
    const versions = { v1: await CountedDoor.start('v1'), v2: await CountedDoor.start('v2') }
    const port = await freePort()
    steered = await steerMesh()
    for (const [version, door] of Object.entries(versions))
      steered.mesh.register(workload('db', door.port, { labels: { version } }))
    const rules = (tcp: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: db }
spec: { hosts: [db], tcp: ${tcp} }
---`
    await steered.apply(`${entry('db', port)}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: db }
spec: { host: db, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---${rules('[{ route: [{ destination: { host: db, subset: v1 }, weight: 9 }, { destination: { host: db, subset: v2 }, weight: 1 }] }]')}`)
    await listening(port)
    const counts = await tallyCalls(400, port)
    expect((counts.v1 ?? 0) + (counts.v2 ?? 0)).toBe(400)
    // 1 of 10: seven standard deviations.
    expect(Math.abs((counts.v2 ?? 0) - 40)).toBeLessThan(42)
    expect(counts.v2).toBeGreaterThan(0)
    await steered.apply(
      rules(
        `[{ match: [{ port: 1 }], route: [{ destination: { host: db, subset: v1 } }] }, { match: [{ port: ${port}, gateways: [mesh] }], route: [{ destination: { host: db, subset: v2 } }] }]`,
      ),
    )
    expect(await tallyCalls(20, port)).toEqual({ v2: 20 })
  })
})

describe('TLS of the application', () => {
  it('goes by the name that it asks for: of the service, of a TLSRoute, of a VirtualService', async () => {
    const authority = makeAuthority()
    const ca = readFileSync(authority.ca, 'utf8')
    const keys = (name: string) => {
      const { certificate, key } = authority.issue(name, `DNS:${name}.example,DNS:*.${name}.example`)
      return { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
    }
    const doors = {
      bank: await CountedDoor.start('bank', keys('bank')),
      shop: await CountedDoor.start('shop', keys('shop')),
    }
    const next = await CountedDoor.start('next', keys('bank'))
    const port = await freePort()
    steered = await steerMesh()
    const external = (name: string, to: number) =>
      entry(`${name}.example`, port, 'TLS', `endpoints: [{ address: 127.0.0.1, ports: { main: ${to} } }]`)
    await steered.apply(
      external('bank', doors.bank.port) + external('shop', doors.shop.port) + external('next', next.port),
    )
    await listening(port)
    const asking = async (serverName: string) => {
      const caller = await call(port, { ca, serverName })
      caller.close()
      return caller.name
    }
    expect(await asking('bank.example')).toBe('bank')
    expect(await asking('shop.example')).toBe('shop')
    expect(await asking('www.bank.example')).toBeNull()

    await steered.apply(
      route('TLSRoute', 'bank', 'bank.example', port, { 'bank.example': 1 }, "hostnames: ['*.bank.example']") +
        route('TLSRoute', 'next', 'bank.example', port, { 'next.example': 1 }, "hostnames: ['new.bank.example']") +
        `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec: { hosts: ['*.shop.example', shop.example], tls: [{ match: [{ sniHosts: [www.shop.example] }], route: [{ destination: { host: shop.example } }] }] }
`,
    )
    expect(await asking('www.bank.example')).toBe('bank')
    expect(await asking('new.bank.example')).toBe('next')
    // Who is steered is called by the names of the routes alone.
    expect(await asking('bank.example')).toBeNull()
    expect(await asking('www.shop.example')).toBe('shop')
    expect(await asking('shop.example')).toBeNull()
    expect([doors.bank.connections, doors.shop.connections, next.connections]).toEqual([2, 2, 1])
  })
})

describe('mutual TLS and policies on connections', () => {
  it('lets in the identities that a policy names, at the port that it names, and nobody in plain text', async () => {
    const folder = scratchFolder()
    const authority = await TestAuthority.create(folder, scratchFolder())
    for (const account of ['db', 'productpage', 'stranger']) await authority.identity(account)
    const certificates = fileCertificates(folder)
    const door = await CountedDoor.start('db')
    const port = await freePort()
    steered = await steerMesh({ node: 'productpage-1' }, { certificates, mesh: { trustDomain: 'shop.example' } })
    const { control, mesh } = steered
    // Several data planes on one machine: each listens where its Sidecar says.
    mesh.apply(
      entry('db', port) +
        sidecar('db', "egress: [{ hosts: ['~/*'] }]") +
        sidecar(
          'stranger',
          `egress: [{ hosts: ['./db'], bind: 127.0.0.3, port: { number: ${port}, protocol: TCP, name: db } }]`,
        ),
    )
    const server = await startEnvoy(control.port, { node: 'db-1', service: 'db', app: `127.0.0.1:${door.port}` })
    await startEnvoy(control.port, { node: 'stranger-1', service: 'stranger' })
    mesh.register(workload('db', server.inbound))
    await steered.apply(strict)
    await listening(port)
    await listening(server.inbound)
    await expect.poll(async () => (await tallyCalls(1, port)).db).toBe(1)
    const before = door.connections
    expect(await tallyCalls(10, port)).toEqual({ db: 10 })
    expect(await tallyCalls(5, port, { to: '127.0.0.3' })).toEqual({ db: 5 })
    // In plain text, to the door itself.
    expect(await tallyCalls(3, server.inbound, { first: 'select 1\n' })).toEqual({ closed: 3 })
    expect(door.connections - before).toBe(15)

    const policy = (spec: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: who }
spec: { selector: { matchLabels: { app: db } }, ${spec} }
---`
    const from = (source: string, more = '') => policy(`rules: [{ from: [{ source: { ${source} } }]${more} }]`)
    // A rule is applied to the first bytes of a client; none of them reaches who it may not call.
    const asking = async (address: string) => {
      const caller = await call(port, { to: address })
      const echoed = await caller.echo('select 1')
      caller.close()
      return echoed
    }
    const both = async () => [await asking('127.0.0.1'), await asking('127.0.0.3')]
    await steered.apply(from('principals: [shop.example/ns/default/sa/productpage]'))
    expect(await both()).toEqual(['select 1', null])
    await steered.apply(from('namespaces: [default]', `, to: [{ operation: { ports: ['${server.inbound}'] } }]`))
    expect(await both()).toEqual(['select 1', 'select 1'])
    await steered.apply(from('namespaces: [other]'))
    expect(await both()).toEqual([null, null])
    await steered.apply(policy("action: DENY, rules: [{ to: [{ operation: { ports: ['1'] } }] }]"))
    expect(await both()).toEqual(['select 1', 'select 1'])
    await steered.apply(policy(`action: DENY, rules: [{ from: [{ source: { serviceAccounts: [stranger] } }] }]`))
    expect(await both()).toEqual(['select 1', null])
    certificates.close()
  })

  it('takes both where it is PERMISSIVE, and TLS of the application as well', async () => {
    const folder = scratchFolder()
    const authority = await TestAuthority.create(folder, scratchFolder())
    for (const account of ['db', 'productpage']) await authority.identity(account)
    const certificates = fileCertificates(folder)
    const outside = makeAuthority()
    const ca = readFileSync(outside.ca, 'utf8')
    const { certificate, key } = outside.issue('db', 'DNS:db.example')
    const door = await CountedDoor.start('db', {
      cert: readFileSync(certificate, 'utf8'),
      key: readFileSync(key, 'utf8'),
    })
    const port = await freePort()
    steered = await steerMesh({ node: 'productpage-1' }, { certificates, mesh: { trustDomain: 'shop.example' } })
    const { control, mesh } = steered
    mesh.apply(entry('db.example', port, 'TLS') + sidecar('db.example', "egress: [{ hosts: ['~/*'] }]"))
    const app = `127.0.0.1:${door.port}`
    const server = await startEnvoy(control.port, { node: 'db-1', service: 'db.example', account: 'db', app })
    mesh.register(workload('db.example', server.inbound, { serviceAccount: 'db' }))
    await steered.inForce()
    await listening(port)
    const asked = { ca, serverName: 'db.example' }
    expect(await tallyCalls(5, port, asked)).toEqual({ db: 5 })
    expect(await tallyCalls(5, server.inbound, asked)).toEqual({ db: 5 })
    // Then inside of the mesh's own TLS, and nothing else any more.
    await steered.apply(strict)
    await expect.poll(async () => tallyCalls(1, server.inbound, asked)).toEqual({ closed: 1 })
    await expect.poll(async () => tallyCalls(1, port, asked)).toEqual({ db: 1 })
    expect(await tallyCalls(5, port, asked)).toEqual({ db: 5 })
    expect(await tallyCalls(5, server.inbound, asked)).toEqual({ closed: 5 })
    certificates.close()
  })
})
