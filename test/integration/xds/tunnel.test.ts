/** Connections through a proxy that the DestinationRule of their service names: CONNECT and POST, HTTP/1.1 and HTTP/2. */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { makeAuthority } from '../../kit/certificates.js'
import { ConnectProxy, closeProxies } from '../../kit/connect-proxy.js'
import { CountedDoor, call, closeDoors, tallyCalls } from '../../kit/counted-door.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
afterEach(async () => {
  await steered.close()
  await closeProxies()
  await closeDoors()
})

const edge = { role: 'gateway', service: 'edge' } as const

const gateway = (listener: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, addresses: [{ value: 127.0.0.1 }], listeners: [{ name: tcp, ${listener} }] }
---
`

const route = (kind: string, backends: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: all }
spec: { parentRefs: [{ name: edge }], ${kind === 'TLSRoute' ? 'hostnames: [www.bank.example],' : ''} rules: [{ backendRefs: [${backends}] }] }
---
`

const proxyEntry = (port: number, protocol: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: proxy }
spec:
  hosts: [proxy]
  location: MESH_EXTERNAL
  ports: [{ number: 3128, name: proxy, protocol: ${protocol} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { proxy: ${port} } }]
---
`

const tunnel = (host: string, method: string, target: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host} }
spec: { host: ${host}, trafficPolicy: { tunnel: { protocol: ${method}, targetHost: ${target}, targetPort: 5432 } } }
---
`

describe('a tunnel', () => {
  it.each([
    ['CONNECT', '1.1', 'TCP'],
    ['POST', '1.1', 'TCP'],
    ['CONNECT', '2', 'HTTP2'],
    ['POST', '2', 'HTTP2'],
  ] as const)('is asked for with %s over HTTP/%s, once for each connection', async (method, version, protocol) => {
    const door = await CountedDoor.start('door')
    const proxy = await ConnectProxy.start(version, door.port)
    const port = await freePort()
    steered = await steerMesh(edge)
    await steered.apply(
      gateway(`port: ${port}, protocol: TCP`) +
        proxyEntry(proxy.port, protocol) +
        tunnel('proxy', method, 'db.bank.example') +
        route('TCPRoute', '{ name: proxy, port: 3128 }'),
    )
    await listening(port)
    const caller = await call(port)
    expect([caller.name, await caller.echo('select 1')]).toEqual(['door', 'select 1'])
    const before = proxy.asked.length
    expect(await tallyCalls(5, port)).toEqual({ door: 5 })
    expect(proxy.asked.length).toBe(before + 5)
    expect(new Set(proxy.asked)).toEqual(new Set([`${method} db.bank.example:5432`]))

    // Another tunnel is for new connections.
    await steered.apply(tunnel('proxy', method, 'other.bank.example'))
    expect(await caller.echo('still here')).toBe('still here')
    caller.close()
    expect(await tallyCalls(1, port)).toEqual({ door: 1 })
    expect(proxy.asked.at(-1)).toBe(`${method} other.bank.example:5432`)
  })

  it('carries TLS that passes through', async () => {
    const authority = makeAuthority()
    const { certificate, key } = authority.issue('bank', 'DNS:www.bank.example')
    const door = await CountedDoor.start('bank', {
      cert: readFileSync(certificate, 'utf8'),
      key: readFileSync(key, 'utf8'),
    })
    const proxy = await ConnectProxy.start('1.1', door.port)
    const port = await freePort()
    steered = await steerMesh(edge)
    await steered.apply(
      gateway(`port: ${port}, protocol: TLS, tls: { mode: Passthrough }`) +
        proxyEntry(proxy.port, 'TCP') +
        tunnel('proxy', 'CONNECT', '192.0.2.1') +
        route('TLSRoute', '{ name: proxy, port: 3128 }'),
    )
    await listening(port)
    const caller = await call(port, { ca: readFileSync(authority.ca, 'utf8'), serverName: 'www.bank.example' })
    caller.close()
    expect(caller.name).toBe('bank')
    expect(proxy.asked).toEqual(['CONNECT 192.0.2.1:5432'])
  })

  it('is one for a route: where its services disagree, its connections are closed and the verdict says why', async () => {
    const door = await CountedDoor.start('door')
    const proxy = await ConnectProxy.start('1.1', door.port)
    const port = await freePort()
    steered = await steerMesh(edge)
    steered.mesh.register(workload('door', door.port))
    await steered.apply(
      gateway(`port: ${port}, protocol: TCP`) +
        proxyEntry(proxy.port, 'TCP') +
        tunnel('proxy', 'CONNECT', 'db.bank.example') +
        route('TCPRoute', '{ name: proxy, port: 3128, weight: 1 }, { name: door, port: 1, weight: 0 }'),
    )
    await listening(port)
    expect(await tallyCalls(3, port)).toEqual({ door: 3 })
    steered.mesh.apply(route('TCPRoute', '{ name: proxy, port: 3128 }, { name: door, port: 1 }'))
    const [verdict] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(verdict?.issues).toMatchObject([
      {
        origin: { kind: 'TCPRoute', name: 'all' },
        message: expect.stringContaining('different tunnels (none, CONNECT db.bank.example:5432)'),
      },
    ])
    expect(await tallyCalls(3, port)).toEqual({ closed: 3 })
    await steered.apply(route('TCPRoute', '{ name: door, port: 1 }'))
    const asked = proxy.asked.length
    expect(await tallyCalls(3, port)).toEqual({ door: 3 })
    expect(proxy.asked.length).toBe(asked)
  })
})
