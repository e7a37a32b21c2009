/** What a DestinationRule says of the connections of a pool, by what the service behind an Envoy sees of them. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2, createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority } from '../../kit/certificates.js'
import { type Caller, CountedDoor, call, closeDoors } from '../../kit/counted-door.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { closeTwoProtocols, TwoProtocols } from '../../kit/two-protocols.js'

const rule = (name: string, pool: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec: { host: ${name}, trafficPolicy: { connectionPool: ${pool} } }
---`

describe('the pool of a sidecar', () => {
  let steered: SteeredMesh
  beforeAll(async () => {
    steered = await steerMesh()
  })
  afterAll(async () => {
    await closeTwoProtocols()
    await steered.close()
  })

  async function service(name: string): Promise<TwoProtocols> {
    const started = await TwoProtocols.start()
    steered.mesh.register(workload(name, started.port))
    await steered.inForce()
    return started
  }

  it('closes a connection that was idle for as long as is said of TCP, and keeps one of which nothing is said', async () => {
    const [idle, kept] = [await service('idle'), await service('kept')]
    await steered.apply(rule('idle', '{ tcp: { idleTimeout: 0.2s } }'))
    for (const name of ['kept', 'idle']) expect((await steered.ask(name)).body).toBe('1.1')
    await expect.poll(() => idle.seen.closed).toBe(1)
    expect(kept.seen).toMatchObject({ connections: 1, closed: 0 })
  })

  it('lets what is said of HTTP come before what is said of TCP', async () => {
    const [both, one] = [await service('both'), await service('one')]
    await steered.apply(
      rule('both', '{ tcp: { idleTimeout: 0.2s }, http: { idleTimeout: 0s } }') +
        rule('one', '{ tcp: { idleTimeout: 0.2s } }'),
    )
    for (const name of ['both', 'one']) expect((await steered.ask(name)).body).toBe('1.1')
    await expect.poll(() => one.seen.closed).toBe(1)
    expect(both.seen.closed).toBe(0)
  })

  it('pings HTTP/2 connections, and closes one that does not answer', async () => {
    const [pinged, plain] = [await service('pinged'), await service('plain')]
    await steered.apply(
      rule('pinged', '{ http: { h2UpgradePolicy: UPGRADE, http2KeepAlive: { interval: 0.1s, timeout: 5s } } }') +
        rule('plain', '{ http: { h2UpgradePolicy: UPGRADE } }'),
    )
    for (const name of ['plain', 'pinged']) expect((await steered.ask(name)).body).toBe('2.0')
    await expect.poll(() => pinged.seen.pings).toBeGreaterThan(3)
    expect(pinged.seen.closed).toBe(0)
    for (const silent of [pinged, plain]) silent.fallSilent()
    await expect.poll(() => pinged.seen.closed).toBe(1)
    expect(plain.seen).toMatchObject({ pings: 0, closed: 0 })
  })

  /** What the service was asked in: once by a client of HTTP/2, once by one of HTTP/1.1. */
  async function spoken(name: string): Promise<string[]> {
    const session = connectHttp2(`http://127.0.0.1:${steered.envoy.outbound}`)
    let body = ''
    for await (const data of session.request({ ':authority': name, ':path': '/' })) body += data
    session.close()
    await once(session, 'close')
    return [body, (await steered.ask(name)).body]
  }

  it('speaks with the service what its client spoke where a rule says so', async () => {
    const app = await service('mirror')
    expect(await spoken('mirror')).toEqual(['1.1', '1.1'])
    await steered.apply(rule('mirror', '{ http: { useClientProtocol: true } }'))
    expect(await spoken('mirror')).toEqual(['2.0', '1.1'])
    expect(app.seen.requests).toBe(4)
  })

  it('names in TLS the protocol that its client spoke', async () => {
    const { certificate, key } = makeAuthority().issue('secured', 'DNS:secured')
    const files = { cert: readFileSync(certificate), key: readFileSync(key), allowHTTP1: true }
    const server = createSecureServer(files, ({ httpVersion }, response) => response.end(httpVersion))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    steered.mesh.register(workload('secured', (server.address() as AddressInfo).port))
    const secured = (pool: string) =>
      rule('secured', pool).replace(
        'trafficPolicy: {',
        'trafficPolicy: { tls: { mode: SIMPLE, insecureSkipVerify: true },',
      )
    await steered.apply(secured('{ http: {} }'))
    expect(await spoken('secured')).toEqual(['1.1', '1.1'])
    await steered.apply(secured('{ http: { useClientProtocol: true } }'))
    expect(await spoken('secured')).toEqual(['2.0', '1.1'])
    server.close()
  })

  it('sets a cookie with the attributes that a rule names, and keeps to its endpoint', async () => {
    const both = [await service('sticky'), await service('sticky')]
    await steered.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: sticky }
spec:
  host: sticky
  trafficPolicy:
    loadBalancer:
      consistentHash: { httpCookie: { name: user, path: /, ttl: 60s, attributes: [{ name: SameSite, value: Strict }, { name: Secure }] } }
`)
    const [cookie = ''] = (await steered.ask('sticky')).headers['set-cookie'] ?? []
    const [pair = ''] = cookie.split('; ')
    expect(cookie.split('; ')).toEqual(expect.arrayContaining(['SameSite=Strict', 'Secure', 'Max-Age=60', 'Path=/']))
    const before = both.map(({ seen }) => seen.requests)
    for (let count = 0; count < 20; count += 1) {
      const { headers } = await steered.ask('sticky', '/', { headers: { cookie: pair } })
      expect(headers['set-cookie']).toBeUndefined()
    }
    expect(both.map(({ seen }, index) => seen.requests - (before[index] ?? 0)).sort()).toEqual([0, 20])
  })
})

describe('connections that a gateway forwards whole', () => {
  let steered: SteeredMesh
  afterAll(async () => {
    await closeDoors()
    await steered.close()
  })

  it('end without a byte for the time that is said, or at the age that is said, and else live on', async () => {
    steered = await steerMesh({ role: 'gateway', service: 'edge' })
    const callers: Record<string, Caller> = {}
    const ports: Record<string, number> = {}
    const names = ['idle', 'aged', 'plain']
    const resources: string[] = []
    for (const name of names) {
      const [door, port] = [await CountedDoor.start(name), await freePort()]
      steered.mesh.register(workload(name, door.port))
      ports[name] = port
      resources.push(`
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ name: edge, sectionName: ${name} }], rules: [{ backendRefs: [{ name: ${name}, port: 1 }] }] }
---`)
    }
    const listeners = names.map((name) => `{ name: ${name}, port: ${ports[name]}, protocol: TCP }`)
    await steered.apply(
      `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, addresses: [{ value: 127.0.0.1 }], listeners: [${listeners.join(', ')}] }
---${resources.join('')}${rule('idle', '{ tcp: { idleTimeout: 0.5s } }')}${rule('aged', '{ tcp: { maxConnectionDuration: 0.5s } }')}`,
    )
    for (const name of names) {
      await listening(ports[name] ?? 0)
      callers[name] = await call(ports[name] ?? 0)
      expect(callers[name]?.name).toBe(name)
    }
    // Nothing is sent: what comes next is the end of the connection.
    expect(await callers.idle?.next()).toBeNull()
    expect(await callers.aged?.next()).toBeNull()
    expect(await callers.plain?.echo('still here')).toBe('still here')
    for (const caller of Object.values(callers)) caller.close()
  })
})
