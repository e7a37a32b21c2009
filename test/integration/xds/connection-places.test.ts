/** Connections that an Envoy tells apart by where they come from and where they go to, beside their server names. */
import { readFileSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { makeAuthority } from '../../kit/certificates.js'
import { CountedDoor, closeDoors, tallyCalls } from '../../kit/counted-door.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
afterEach(async () => {
  await closeDoors()
  await steered.close()
})

const edge = { role: 'gateway', service: 'edge', labels: { track: 'canary' } } as const

const gateway = (...servers: string[]) => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec: { selector: { app: edge }, servers: [${servers.join(', ')}] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all }
spec:
  hosts: ['*']
  gateways: [edge]
`

const to = (service: string) => `route: [{ destination: { host: ${service} } }]`

function expectNoRefusal(): void {
  expect(steered.envoy.program.output).not.toMatch(/rejected|error adding|Unable to|\[critical\]|\[error\]/)
}

it('takes connections by the address that they come from and the one that they go to', async () => {
  const port = await freePort()
  steered = await steerMesh(edge)
  for (const name of ['near', 'inside', 'all', 'nobody'])
    steered.mesh.register(workload(name, (await CountedDoor.start(name)).port))
  await steered.apply(`${gateway(`{ port: { number: ${port}, name: tcp, protocol: TCP }, hosts: ['*'] }`)}
  tcp:
    - { match: [{ sourceLabels: { track: stable } }, { sourceNamespace: another }], ${to('nobody')} }
    - { match: [{ sourceSubnet: 127.0.0.3 }], ${to('near')} }
    - { match: [{ destinationSubnets: [127.0.0.2/32, 192.0.2.0/24], sourceLabels: { track: canary } }], ${to('inside')} }
    - { match: [{ sourceNamespace: default }], ${to('all')} }`)
  await listening(port)
  expect(await tallyCalls(10, port)).toEqual({ all: 10 })
  expect(await tallyCalls(10, port, { from: '127.0.0.3' })).toEqual({ near: 10 })
  expect(await tallyCalls(10, port, { to: '127.0.0.2' })).toEqual({ inside: 10 })
  expect(await tallyCalls(10, port, { to: '127.0.0.2', from: '127.0.0.3' })).toEqual({ inside: 10 })
  expect(await tallyCalls(10, port, { to: '127.0.0.1', from: '127.0.0.4' })).toEqual({ all: 10 })
  expectNoRefusal()
})

it('finds the server names of all addresses at those that some rules are for', async () => {
  const authority = makeAuthority()
  const ca = readFileSync(authority.ca, 'utf8')
  const { certificate, key } = authority.issue('test', 'DNS:*.shop.example')
  const keys = { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
  const port = await freePort()
  steered = await steerMesh(edge)
  for (const name of ['inside', 'b', 'wild'])
    steered.mesh.register(workload(name, (await CountedDoor.start(name, keys)).port))
  await steered.apply(`${gateway(`{ port: { number: ${port}, name: tls, protocol: TLS }, hosts: ['*'], tls: { mode: PASSTHROUGH } }`)}
  tls:
    - { match: [{ sniHosts: [a.shop.example], destinationSubnets: [127.0.0.2] }], ${to('inside')} }
    - { match: [{ sniHosts: [b.shop.example] }], ${to('b')} }
    - { match: [{ sniHosts: ['*.shop.example'] }], ${to('wild')} }`)
  await listening(port)
  const calls = async (address: string) =>
    Promise.all(
      ['a', 'b', 'c'].map((name) => tallyCalls(5, port, { ca, serverName: `${name}.shop.example`, to: address })),
    )
  expect(await calls('127.0.0.1')).toEqual([{ wild: 5 }, { b: 5 }, { wild: 5 }])
  expect(await calls('127.0.0.2')).toEqual([{ inside: 5 }, { b: 5 }, { wild: 5 }])
  expectNoRefusal()
})
