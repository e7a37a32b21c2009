/** A service outside of the mesh that speaks TLS: an Envoy asks it for the name of the policy, and believes no other. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, expect, it } from 'vitest'
import { makeAuthority } from '../../kit/certificates.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let end: () => void = () => {}
afterEach(async () => {
  await steered.close()
  end()
})

interface Bank {
  port: number
  /** Names that were asked for, one for each handshake; and what handshakes ended with. */
  names: (string | false | undefined)[]
  alerts: (string | undefined)[]
  connections: number
  /** New handshakes show it. */
  show(pair: { certificate: string; key: string }): void
  /** Ends connections that nobody waits on. */
  endIdle(): void
}

const read = ({ certificate, key }: { certificate: string; key: string }) => {
  return { cert: readFileSync(certificate), key: readFileSync(key) }
}

async function startBank(pair: { certificate: string; key: string }): Promise<Bank> {
  const names: Bank['names'] = []
  const alerts: Bank['alerts'] = []
  const server = createServer(
    {
      ...read(pair),
      SNICallback(name, done) {
        names.push(name)
        done(null)
      },
    },
    (request, response) => response.end(`for ${(request.socket as TLSSocket).servername}`),
  ).listen(0, '127.0.0.1')
  end = () => void server.close().closeAllConnections()
  const bank: Bank = {
    port: 0,
    names,
    alerts,
    connections: 0,
    show: (other) => server.setSecureContext(read(other)),
    endIdle: () => server.closeIdleConnections(),
  }
  server.on('connection', () => {
    bank.connections += 1
  })
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => void alerts.push(code))
  await once(server, 'listening')
  bank.port = (server.address() as AddressInfo).port
  return bank
}

const entry = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: bank }
spec:
  hosts: [bank]
  location: MESH_EXTERNAL
  ports: [{ number: ${port}, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
---
`

const policy = `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: bank }
spec:
  targetRefs: [{ group: '', kind: Service, name: bank }]
  validation: { hostname: api.bank.example, wellKnownCACertificates: System }
`

const unchecked = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: bank }
spec: { host: bank, trafficPolicy: { tls: { mode: SIMPLE, sni: api.bank.example, insecureSkipVerify: true } } }
`

it('is asked for by the name of its BackendTLSPolicy, and refused when no root of the system vouches for it', async () => {
  const { port, names, alerts } = await startBank(makeAuthority().issue('bank', 'DNS:api.bank.example'))
  steered = await steerMesh()

  await steered.apply(entry(port) + policy)
  expect((await steered.ask('bank')).status).toBe(503)
  expect(alerts[0]).toBe('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA')
  expect(new Set(names)).toEqual(new Set(['api.bank.example']))

  // The same service where nobody asks who it is: it was the check that refused it.
  steered.mesh.delete('BackendTLSPolicy', 'bank')
  await steered.apply(unchecked)
  expect(await steered.ask('bank')).toMatchObject({ status: 200, body: 'for api.bank.example' })
})

const ownRoots = (...refs: string[]) => `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: bank }
spec:
  targetRefs: [{ group: '', kind: Service, name: bank }]
  validation:
    hostname: api.bank.example
    caCertificateRefs: [${refs.map((name) => `{ group: '', kind: ConfigMap, name: ${name} }`).join(', ')}]
`

function configMap(name: string, ...files: string[]): string {
  const text = files.map((file) => readFileSync(file, 'utf8')).join('')
  const document = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { 'ca.crt': text } }
  return `\n---\n${JSON.stringify(document)}\n`
}

it('is believed when a root of its ConfigMap vouches for it, and not asked at all while there is none', async () => {
  const [authority, other] = [makeAuthority(), makeAuthority()]
  const bank = await startBank(authority.issue('bank', 'DNS:api.bank.example'))
  steered = await steerMesh()

  await steered.apply(entry(bank.port) + ownRoots('roots'))
  expect((await steered.ask('bank')).status).toBe(503)
  expect(bank.connections).toBe(0)

  await steered.apply(configMap('roots', other.ca))
  expect((await steered.ask('bank')).status).toBe(503)
  expect(bank.alerts[0]).toBe('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA')

  // Two ConfigMaps, of which one is enough; a third that is not there takes nothing from them.
  await steered.apply(`${configMap('more', authority.ca)}---${ownRoots('roots', 'more', 'gone')}`)
  expect(await steered.ask('bank')).toMatchObject({ status: 200, body: 'for api.bank.example' })

  const connections = bank.connections
  steered.mesh.delete('ConfigMap', 'more')
  steered.mesh.delete('ConfigMap', 'roots')
  await steered.inForce()
  expect((await steered.ask('bank')).status).toBe(503)
  expect(bank.connections).toBe(connections)
})

it('keeps its connections when its roots are changed, and is believed by the new ones alone after', async () => {
  const [before, after] = [makeAuthority(), makeAuthority()]
  const [old, renewed] = [before.issue('bank', 'DNS:api.bank.example'), after.issue('bank', 'DNS:api.bank.example')]
  const bank = await startBank(old)
  steered = await steerMesh()
  await steered.apply(entry(bank.port) + ownRoots('roots') + configMap('roots', before.ca))
  let asks = true
  const counts: Record<string, number> = {}
  const load = (async () => {
    while (asks) {
      const { status } = await steered.ask('bank')
      counts[status] = (counts[status] ?? 0) + 1
    }
  })()
  await expect.poll(() => counts[200] ?? 0, { timeout: 10_000 }).toBeGreaterThan(10)
  const opened = bank.connections

  await steered.apply(configMap('roots', before.ca, after.ca))
  await steered.apply(configMap('roots', after.ca))
  const sent = counts[200] ?? 0
  await expect.poll(() => counts[200] ?? 0, { timeout: 10_000 }).toBeGreaterThan(sent + 10)
  expect(bank.connections).toBe(opened)
  asks = false
  await load
  expect(Object.keys(counts)).toEqual(['200'])

  // The connection that lived on is ended: the next one is judged by the new roots.
  bank.endIdle()
  await expect.poll(async () => (await steered.ask('bank')).status, { timeout: 10_000 }).toBe(503)
  bank.show(renewed)
  await expect.poll(async () => (await steered.ask('bank')).status, { timeout: 10_000 }).toBe(200)
})

it('is asked for by the name of the policy of its port, before that of the policy of the service', async () => {
  const authority = makeAuthority()
  const bank = await startBank(authority.issue('bank', 'DNS:api.bank.example,DNS:admin.bank.example'))
  const ofPort = (section: string, hostname: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: ${section} }
spec:
  targetRefs: [{ group: '', kind: Service, name: bank, sectionName: ${section} }]
  validation: { hostname: ${hostname}, caCertificateRefs: [{ group: '', kind: ConfigMap, name: roots }] }
---
`
  steered = await steerMesh()
  await steered.apply(`${entry(bank.port)}${ownRoots('roots')}${configMap('roots', authority.ca)}`)
  expect(await steered.ask('bank')).toMatchObject({ status: 200, body: 'for api.bank.example' })
  await steered.apply(ofPort('other', 'other.bank.example'))
  expect(await steered.ask('bank')).toMatchObject({ status: 200, body: 'for api.bank.example' })
  await steered.apply(ofPort('http', 'admin.bank.example'))
  expect(await steered.ask('bank')).toMatchObject({ status: 200, body: 'for admin.bank.example' })
  steered.mesh.delete('BackendTLSPolicy', 'http')
  await steered.inForce()
  expect(await steered.ask('bank')).toMatchObject({ status: 200, body: 'for api.bank.example' })
})
