/** TLS that an Envoy begins itself, as a DestinationRule says: whom it shows, whom it believes, and what replaces both. */
import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type FileCertificates, fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { makeAuthority } from '../../kit/certificates.js'
import { type Asked, ask } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { closeTlsServices, type KeyPair, TlsService } from '../../kit/tls-service.js'

let steered: SteeredMesh
let certificates: FileCertificates | null = null
afterEach(async () => {
  await steered.close()
  await closeTlsServices()
  certificates?.close()
  certificates = null
})

const entry = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: bank }
spec:
  hosts: [bank]
  location: MESH_EXTERNAL
  ports: [{ number: 443, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
---
`

const rule = (tls: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: bank }
spec: { host: bank, trafficPolicy: { tls: { sni: api.bank.example, ${tls} } } }
---
`

const gateway = (port: number) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, addresses: [{ value: 127.0.0.1 }], listeners: [{ name: http, port: ${port}, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: bank }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: bank, port: 443 }] }] }
---
`

/** The bank, the clients that it takes, and who is no client of it. */
async function startBank() {
  const [bankCa, clientCa] = [makeAuthority(), makeAuthority()]
  const pair = bankCa.issue('bank', 'DNS:api.bank.example')
  const client = (name: string) => clientCa.issue(name, `DNS:${name}.example`)
  const service = await TlsService.start(pair, clientCa.ca)
  return { service, pair, bankCa, client }
}

/** Files appear whole, as with whoever renews certificates. */
function put(folder: string, files: Record<string, string>): void {
  for (const [name, from] of Object.entries(files)) {
    copyFileSync(from, join(folder, `.${name}`))
    renameSync(join(folder, `.${name}`), join(folder, name))
  }
}

/** Asks all the time until the change is made and some more; how often each status came. */
async function during(once: () => Promise<Asked>, change: () => Promise<void>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const total = () => Object.values(counts).reduce((sum, count) => sum + count, 0)
  let asks = true
  const load = (async () => {
    while (asks) {
      const { status } = await once()
      counts[status] = (counts[status] ?? 0) + 1
    }
  })()
  await expect.poll(total).toBeGreaterThan(10)
  await change()
  const before = total()
  await expect.poll(total).toBeGreaterThan(before + 10)
  asks = false
  await load
  return counts
}

describe('credentialName', () => {
  it('shows a gateway’s certificate, believes what stands beside it, and follows both without a connection lost', async () => {
    const folder = scratchFolder()
    const named = join(folder, 'named/default')
    mkdirSync(named, { recursive: true })
    certificates = fileCertificates(folder)
    const bank = await startBank()
    const port = await freePort()
    steered = await steerMesh({ role: 'gateway', service: 'edge' }, { certificates })
    const asking = () => ask(port, 'bank')

    steered.mesh.apply(entry(bank.service.port) + rule('mode: MUTUAL, credentialName: bank-client') + gateway(port))
    const [verdict] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(verdict?.issues.map(({ message }) => message)).toEqual([
      'the control plane has no certificate default/bank-client: default/bank/443 is not called until there is',
      'the control plane has no authorities default/bank-client (ca.crt): default/bank/443 is not called until there is',
    ])
    expect(bank.service.connections).toBe(0)

    const first = bank.client('first')
    put(named, {
      'bank-client.crt': first.certificate,
      'bank-client.key': first.key,
      'bank-client.ca.crt': bank.bankCa.ca,
    })
    await listening(port, 30_000)
    await expect.poll(asking).toMatchObject({ status: 200, body: 'api.bank.example for first' })

    const opened = bank.service.connections
    const second = bank.client('second')
    const counts = await during(asking, async () => {
      const taken = await renewals()
      put(named, { 'bank-client.crt': second.certificate, 'bank-client.key': second.key })
      await expect.poll(renewals).toBeGreaterThan(taken)
    })
    expect(Object.keys(counts)).toEqual(['200'])
    expect(bank.service.connections).toBe(opened)
    await newest('second', bank.service, asking)

    // The bank's certificate is taken back.
    put(named, { 'bank-client.ca.crl': bank.bankCa.revoke(bank.pair.certificate) })
    await refused(bank.service, asking)
    rmSync(join(named, 'bank-client.ca.crl'))
    await newest('second', bank.service, asking)

    // SIMPLE shows nothing, and the bank takes nobody without a certificate.
    await steered.apply(rule('mode: SIMPLE, credentialName: bank-client'))
    expect((await asking()).status).toBe(503)
  })

  it('gives a key to the workloads that its rule selects, and the others do not call the service at all', async () => {
    const folder = scratchFolder()
    const named = join(folder, 'named/default')
    mkdirSync(named, { recursive: true })
    certificates = fileCertificates(folder)
    const bank = await startBank()
    const own = bank.client('own')
    put(named, { 'own.crt': own.certificate, 'own.key': own.key, 'own.ca.crt': bank.bankCa.ca })
    steered = await steerMesh({}, { certificates })
    const asking = () => steered.ask('bank')
    const selected = (labels: string) =>
      rule('mode: MUTUAL, credentialName: own').replace(
        'spec: {',
        `spec: { workloadSelector: { matchLabels: ${labels} },`,
      )
    await steered.apply(entry(bank.service.port) + rule('mode: MUTUAL, credentialName: own'))
    expect((await asking()).status).toBe(503)
    expect(bank.service.connections).toBe(0)

    await steered.apply(selected('{ app: productpage }'))
    expect(await asking()).toMatchObject({ status: 200, body: 'api.bank.example for own' })
    // Other workloads are called as if there were no rule: in plain text, which the bank refuses.
    await steered.apply(selected('{ app: other }'))
    expect((await asking()).status).not.toBe(200)
  })
})

describe('files of the data plane', () => {
  it('are shown and believed in mode MUTUAL, and read again when they are replaced', async () => {
    const folder = scratchFolder()
    const bank = await startBank()
    const first = bank.client('first')
    put(folder, { 'client.pem': first.certificate, 'client.key': first.key, 'ca.pem': bank.bankCa.ca })
    steered = await steerMesh()
    const asking = () => steered.ask('bank')
    const shown = `clientCertificate: ${folder}/client.pem, privateKey: ${folder}/client.key`
    const believed = `caCertificates: ${folder}/ca.pem`
    await steered.apply(entry(bank.service.port) + rule(`mode: MUTUAL, ${shown}, ${believed}`))
    expect(await asking()).toMatchObject({ status: 200, body: 'api.bank.example for first' })

    const opened = bank.service.connections
    const second = bank.client('second')
    const counts = await during(asking, async () => {
      const taken = await renewals()
      put(folder, { 'client.pem': second.certificate, 'client.key': second.key })
      await expect.poll(renewals).toBeGreaterThan(taken)
    })
    expect(Object.keys(counts)).toEqual(['200'])
    expect(bank.service.connections).toBe(opened)
    await newest('second', bank.service, asking)

    // Whom nobody vouches for that is believed, and who is taken for somebody else.
    put(folder, { 'ca.pem': makeAuthority().ca })
    await refused(bank.service, asking)
    put(folder, { 'ca.pem': bank.bankCa.ca })
    await newest('second', bank.service, asking)
    await steered.apply(rule(`mode: MUTUAL, ${shown}, ${believed}, subjectAltNames: [other.bank.example]`))
    expect((await asking()).status).toBe(503)
    await steered.apply(rule(`mode: MUTUAL, ${shown}, ${believed}, subjectAltNames: [api.bank.example]`))
    expect((await asking()).status).toBe(200)
  })

  it('say in mode SIMPLE who is believed and what was taken back', async () => {
    const folder = scratchFolder()
    const authority = makeAuthority()
    const pair: KeyPair = authority.issue('bank', 'DNS:api.bank.example')
    const other = authority.issue('other', 'DNS:other.example')
    put(folder, { 'ca.pem': authority.ca, 'ca.crl': authority.revoke(other.certificate) })
    const service = await TlsService.start(pair)
    steered = await steerMesh()
    const asking = () => steered.ask('bank')
    const simple = `mode: SIMPLE, caCertificates: ${folder}/ca.pem`
    await steered.apply(entry(service.port) + rule(`${simple}, caCrl: ${folder}/ca.crl`))
    expect(await asking()).toMatchObject({ status: 200, body: 'api.bank.example for nobody' })

    put(folder, { 'ca.crl': authority.revoke(pair.certificate) })
    await refused(service, asking)
    await steered.apply(rule(simple))
    expect((await asking()).status).toBe(200)
  })
})

/** How often the Envoy has taken other certificates for its connections to the bank. */
async function renewals(): Promise<number> {
  const name = 'cluster.default/bank/443.client_ssl_socket_factory.ssl_context_update_by_sds'
  const answer = await fetch(`http://127.0.0.1:${steered.envoy.admin}/stats?filter=^${name.replaceAll('.', '\\.')}$`)
  return Number((await answer.text()).split(': ')[1] ?? Number.NaN)
}

/** New connections, until one is of this client. */
async function newest(name: string, service: TlsService, asking: () => Promise<Asked>): Promise<void> {
  await expect
    .poll(async () => {
      service.endIdle()
      return (await asking()).body
    })
    .toBe(`api.bank.example for ${name}`)
}

/** New connections, until one is refused. */
async function refused(service: TlsService, asking: () => Promise<Asked>): Promise<void> {
  await expect
    .poll(async () => {
      service.endIdle()
      return (await asking()).status
    })
    .toBe(503)
}
