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
  const { certificate, key } = makeAuthority().issue('bank', 'DNS:api.bank.example')
  const names: (string | false | undefined)[] = []
  const context = { cert: readFileSync(certificate), key: readFileSync(key) }
  const bank = createServer(
    {
      ...context,
      SNICallback(name, done) {
        names.push(name)
        done(null)
      },
    },
    (request, response) => response.end(`for ${(request.socket as TLSSocket).servername}`),
  ).listen(0, '127.0.0.1')
  end = () => void bank.close().closeAllConnections()
  const alerts: (string | undefined)[] = []
  bank.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => void alerts.push(code))
  await once(bank, 'listening')
  const { port } = bank.address() as AddressInfo
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
