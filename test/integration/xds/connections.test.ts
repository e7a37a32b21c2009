/** Connections that an Envoy forwards as they are: by the server name of their TLS, by weight, or by their port alone. */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { makeAuthority } from '../../kit/certificates.js'
import { type Caller, CountedDoor, call, closeDoors, tallyCalls } from '../../kit/counted-door.js'
import { CountedService } from '../../kit/counted-service.js'
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

const edge = { role: 'gateway', service: 'edge' } as const

const gateway = (...listeners: string[]) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, addresses: [{ value: 127.0.0.1 }], listeners: [${listeners.join(', ')}] }
---`

const passing = (port: number) => `{ name: tls, port: ${port}, protocol: TLS, tls: { mode: Passthrough } }`
const plain = (port: number) => `{ name: tcp, port: ${port}, protocol: TCP }`

function route(kind: string, name: string, backends: Record<string, number>, more = 'parentRefs: [{ name: edge }]') {
  const refs = Object.entries(backends).map(([service, weight]) => `{ name: ${service}, port: 1, weight: ${weight} }`)
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name} }
spec: { ${more}, rules: [{ backendRefs: [${refs.join(', ')}] }] }
---`
}

const named = (...hostnames: string[]) =>
  `parentRefs: [{ name: edge }], hostnames: [${hostnames.map((one) => `'${one}'`)}]`

function issue(authority: ReturnType<typeof makeAuthority>, ...names: string[]) {
  const { certificate, key } = authority.issue('test', names.map((name) => `DNS:${name}`).join(','))
  return { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
}

/** Of Envoy's own counters. */
async function counter(name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${steered.envoy.admin}/stats?filter=^${name.replaceAll('.', '\\.')}$`)
  return Number((await answer.text()).split(': ')[1] ?? Number.NaN)
}

function expectNoRefusal(): void {
  expect(steered.envoy.program.output).not.toMatch(/rejected|error adding|Unable to|\[critical\]|\[error\]/)
}

describe.each([
  ['delta', false],
  ['state of the world', true],
])('TLS that passes through, %s', (_, stateOfTheWorld) => {
  it('goes to the service whose name the client asks for, with the certificate of that service', async () => {
    const authority = makeAuthority()
    const ca = readFileSync(authority.ca, 'utf8')
    const bank = await CountedDoor.start('bank', issue(authority, 'www.bank.example', 'api.bank.example'))
    const shop = await CountedDoor.start('shop', issue(authority, '*.shop.example'))
    const special = await CountedDoor.start('special', issue(authority, 'special.shop.example'))
    const port = await freePort()
    steered = await steerMesh({ ...edge, stateOfTheWorld })
    for (const [name, door] of Object.entries({ bank, shop, special })) steered.mesh.register(workload(name, door.port))
    await steered.apply(
      gateway(passing(port)) +
        route('TLSRoute', 'shop', { shop: 1 }, named('*.shop.example')) +
        route('TLSRoute', 'bank', { bank: 1 }, named('www.bank.example')) +
        route('TLSRoute', 'special', { special: 1 }, named('special.shop.example')),
    )
    await listening(port)
    const asking = async (serverName: string) => {
      const caller = await call(port, { ca, serverName })
      const echoed = await caller.echo('hello')
      caller.close()
      return { name: caller.name, echoed }
    }
    // Each client checks the certificate that it is shown: only the service's own is right.
    expect(await asking('www.bank.example')).toEqual({ name: 'bank', echoed: 'hello' })
    expect(await asking('a.shop.example')).toEqual({ name: 'shop', echoed: 'hello' })
    expect(await asking('special.shop.example')).toEqual({ name: 'special', echoed: 'hello' })
    expect(bank.asked).toEqual(['www.bank.example'])

    // A name that nobody has, none at all, and what is no TLS.
    expect(await asking('other.example')).toEqual({ name: null, echoed: null })
    expect((await call(port, { ca })).name).toBeNull()
    expect((await call(port, { first: 'GET / HTTP/1.1\r\n\r\n' })).name).toBeNull()
    expect([bank.connections, shop.connections, special.connections]).toEqual([1, 1, 1])

    // Another route on the same port is another chain, and the connections of the others stay.
    const open = await call(port, { ca, serverName: 'a.shop.example' })
    await steered.apply(route('TLSRoute', 'also', { bank: 1 }, named('api.bank.example')))
    expect(await asking('api.bank.example')).toEqual({ name: 'bank', echoed: 'hello' })
    expect(await counter('listener_manager.listener_in_place_updated')).toBe(1)
    expect(await counter('listener_manager.total_filter_chains_draining')).toBe(0)
    expect(await open.echo('still here')).toBe('still here')
    open.close()
    expectNoRefusal()
  })
})

describe('a split of connections', () => {
  it('follows the weights, and a moved weight leaves open connections where they are', async () => {
    const [one, two] = [await CountedDoor.start('one'), await CountedDoor.start('two')]
    const port = await freePort()
    // What Envoy drains it closes after a second.
    steered = await steerMesh(edge, {}, ['--drain-time-s', '1', '--drain-strategy', 'immediate'])
    steered.mesh.register(workload('one', one.port), workload('two', two.port))
    await steered.apply(gateway(plain(port)) + route('TCPRoute', 'split', { one: 3, two: 1 }))
    await listening(port)

    const counts = await tallyCalls(400, port)
    expect((counts.one ?? 0) + (counts.two ?? 0)).toBe(400)
    // 3 of 4: ten standard deviations to either side.
    expect(counts.one).toBeGreaterThan(300 - 87)
    expect(counts.one).toBeLessThan(300 + 87)
    // The servers count the same, and perhaps the one that asked whether somebody listens.
    expect(one.connections + two.connections - 400).toBeOneOf([0, 1])

    const open: Caller[] = []
    for (let index = 0; index < 20; index += 1) open.push(await call(port))
    const on = open.map(({ name }) => name)
    expect(new Set(on)).toEqual(new Set(['one', 'two']))
    await steered.apply(route('TCPRoute', 'split', { one: 0, two: 1 }))
    expect(await tallyCalls(200, port)).toEqual({ two: 200 })
    await steered.apply(route('TCPRoute', 'split', { one: 1 }))
    expect(await tallyCalls(50, port)).toEqual({ one: 50 })

    // Nothing drains, so nothing is closed when the drain time is over.
    expect(await counter('listener_manager.total_filter_chains_draining')).toBe(0)
    expect(await counter('listener_manager.listener_in_place_updated')).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, 2500))
    const echoes = await Promise.all(open.map((caller, index) => caller.echo(`still ${index}`)))
    expect(echoes).toEqual(open.map((_, index) => `still ${index}`))
    for (const caller of open) caller.close()
    expectNoRefusal()
  })

  it('closes the share of a service that is not there', async () => {
    const door = await CountedDoor.start('door')
    const port = await freePort()
    steered = await steerMesh(edge)
    steered.mesh.register(workload('door', door.port))
    await steered.apply(gateway(plain(port)) + route('TCPRoute', 'half', { door: 1, nobody: 1 }))
    await listening(port)
    const counts = await tallyCalls(200, port)
    expect((counts.door ?? 0) + (counts.closed ?? 0)).toBe(200)
    expect(counts.closed).toBeGreaterThan(30)
    expect(counts.door).toBeGreaterThan(30)

    await steered.apply(route('TCPRoute', 'half', { door: 0 }))
    expect(await tallyCalls(20, port)).toEqual({ closed: 20 })
    expectNoRefusal()
  })
})

describe('TLS on one port', () => {
  it('ends at the gateway, passes through or carries requests, by the name that is asked for', async () => {
    const folder = scratchFolder()
    const issuer = await TestAuthority.create(folder, scratchFolder())
    await issuer.named('default/ended-cert', 'db.ended.example')
    await issuer.named('default/shop-cert', 'www.shop.example')
    const certificates = fileCertificates(folder)
    const authority = makeAuthority()
    const [database, bank] = [
      await CountedDoor.start('database'),
      await CountedDoor.start('bank', issue(authority, 'www.bank.example')),
    ]
    const app = await CountedService.start('app')
    const port = await freePort()
    steered = await steerMesh(edge, { certificates })
    steered.mesh.register(workload('database', database.port), workload('bank', bank.port), workload('app', app.port))
    const ended = `{ name: ended, port: ${port}, protocol: TLS, hostname: '*.ended.example', tls: { mode: Terminate, certificateRefs: [{ name: ended-cert }] } }`
    const https = `{ name: https, port: ${port}, protocol: HTTPS, hostname: www.shop.example, tls: { certificateRefs: [{ name: shop-cert }] } }`
    await steered.apply(
      gateway(passing(port), ended, https) +
        route('TLSRoute', 'bank', { bank: 1 }, named('www.bank.example')) +
        route('TCPRoute', 'database', { database: 1 }, 'parentRefs: [{ name: edge, sectionName: ended }]') +
        route('HTTPRoute', 'app', { app: 1 }),
    )
    await listening(port)
    const roots = readFileSync(`${folder}/roots.pem`, 'utf8')

    const plainly = await call(port, { ca: roots, serverName: 'db.ended.example' })
    expect([plainly.name, await plainly.echo('select 1')]).toEqual(['database', 'select 1'])
    plainly.close()
    const through = await call(port, { ca: readFileSync(authority.ca, 'utf8'), serverName: 'www.bank.example' })
    expect([through.name, await through.echo('hello')]).toEqual(['bank', 'hello'])
    through.close()
    const url = `https://www.shop.example:${port}/`
    const to = ['--cacert', `${folder}/roots.pem`, '--resolve', `www.shop.example:${port}:127.0.0.1`, url]
    expect(await outputOf('curl', ['-s', '-w', ' %{http_code}', ...to])).toBe('app 200')
    expect([database.connections, bank.connections, app.requests]).toEqual([1, 1, 1])
    expectNoRefusal()
    certificates.close()
  })
})

describe('a certificate that the control plane does not have', () => {
  it('keeps the listener as it was, and the verdict says which resource waits for which', async () => {
    const authority = makeAuthority()
    const door = await CountedDoor.start('door', issue(authority, 'www.bank.example'))
    const port = await freePort()
    steered = await steerMesh(edge)
    steered.mesh.register(workload('door', door.port))
    await steered.apply(gateway(passing(port)) + route('TLSRoute', 'door', { door: 1 }, named('www.bank.example')))
    await listening(port)
    const ended = `{ name: ended, port: ${port}, protocol: TLS, hostname: a.example, tls: { mode: Terminate, certificateRefs: [{ name: absent }] } }`
    steered.mesh.apply(gateway(passing(port), ended) + route('TCPRoute', 'ended', { door: 1 }))
    const [verdict] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(verdict).toMatchObject({
      state: 'refused',
      issues: [
        {
          origin: { kind: 'TCPRoute', name: 'ended' },
          message: 'the control plane has no certificate default/absent: the listener waits for it',
        },
      ],
    })
    const caller = await call(port, { ca: readFileSync(authority.ca, 'utf8'), serverName: 'www.bank.example' })
    caller.close()
    expect(caller.name).toBe('door')
  })
})

describe("a Gateway of Istio's", () => {
  it('passes TLS through by name and forwards a port, as its VirtualServices say', async () => {
    const authority = makeAuthority()
    const ca = readFileSync(authority.ca, 'utf8')
    const keys = issue(authority, '*.shop.example')
    const versions = { v1: await CountedDoor.start('v1', keys), v2: await CountedDoor.start('v2', keys) }
    const database = await CountedDoor.start('database')
    const [tls, tcp] = [await freePort(), await freePort()]
    steered = await steerMesh(edge)
    for (const [version, door] of Object.entries(versions))
      steered.mesh.register(workload('shop', door.port, { labels: { version } }))
    steered.mesh.register(workload('database', database.port))
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { app: edge }
  servers:
    - { port: { number: ${tls}, name: tls, protocol: TLS }, hosts: ['*.shop.example'], tls: { mode: PASSTHROUGH } }
    - { port: { number: ${tcp}, name: tcp, protocol: TCP }, hosts: ['*'] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: shop }
spec: { host: shop, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all }
spec:
  hosts: ['*']
  gateways: [edge]
  tls:
    - { match: [{ sniHosts: [new.shop.example] }], route: [{ destination: { host: shop, subset: v2 } }] }
    - { match: [{ sniHosts: ['*.shop.example'] }], route: [{ destination: { host: shop, subset: v1 }, weight: 1 }, { destination: { host: shop, subset: v2 }, weight: 1 }] }
  tcp: [{ match: [{ port: ${tcp} }], route: [{ destination: { host: database } }] }]
`)
    await listening(tls)
    await listening(tcp)
    expect(await tallyCalls(20, tls, { ca, serverName: 'new.shop.example' })).toEqual({ v2: 20 })
    const counts = await tallyCalls(200, tls, { ca, serverName: 'any.shop.example' })
    expect((counts.v1 ?? 0) + (counts.v2 ?? 0)).toBe(200)
    // Half of them: ten standard deviations to either side.
    expect(Math.abs((counts.v1 ?? 0) - 100)).toBeLessThan(71)
    expect(await tallyCalls(20, tcp)).toEqual({ database: 20 })
    expectNoRefusal()
  })
})

describe('who may connect', () => {
  it('is decided by AuthorizationPolicies, and a policy that comes later drains nothing', async () => {
    const authority = makeAuthority()
    const ca = readFileSync(authority.ca, 'utf8')
    const door = await CountedDoor.start('door', issue(authority, '*.shop.example'))
    const port = await freePort()
    steered = await steerMesh(edge)
    steered.mesh.register(workload('door', door.port))
    await steered.apply(gateway(passing(port)) + route('TLSRoute', 'door', { door: 1 }, named('*.shop.example')))
    await listening(port)
    const nameFor = async (serverName: string) => {
      const caller = await call(port, { ca, serverName })
      caller.close()
      return caller.name
    }
    const early = await call(port, { ca, serverName: 'b.shop.example' })
    expect(early.name).toBe('door')
    const policy = (spec: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: who }
spec: { targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }], ${spec} }`

    await steered.apply(policy("rules: [{ when: [{ key: connection.sni, values: ['a.shop.example'] }] }]"))
    expect([await nameFor('a.shop.example'), await nameFor('b.shop.example')]).toEqual(['door', null])
    await steered.apply(policy("action: DENY, rules: [{ from: [{ source: { ipBlocks: ['192.0.2.0/24'] } }] }]"))
    expect([await nameFor('a.shop.example'), await nameFor('b.shop.example')]).toEqual(['door', 'door'])
    await steered.apply(policy("action: DENY, rules: [{ from: [{ source: { ipBlocks: ['127.0.0.0/8'] } }] }]"))
    expect([await nameFor('a.shop.example'), await nameFor('b.shop.example')]).toEqual([null, null])
    await steered.apply(
      policy("action: DENY, rules: [{ from: [{ source: { ipBlocks: ['127.0.0.0/8'] } }] }]").replace(
        '{ name: who }',
        "{ name: who, annotations: { istio.io/dry-run: 'true' } }",
      ),
    )
    const before = await counter('deny.rbac.dry_run_deny_.shadow_denied')
    expect([await nameFor('a.shop.example'), await nameFor('b.shop.example')]).toEqual(['door', 'door'])
    expect((await counter('deny.rbac.dry_run_deny_.shadow_denied')) - before).toBe(2)
    expect(await early.echo('still here')).toBe('still here')
    early.close()
    expect(await counter('listener_manager.listener_in_place_updated')).toBe(0)
    expectNoRefusal()
  })
})
