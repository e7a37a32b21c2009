import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { ask, CountedService } from '../../kit/counted-service.js'
import { listening, startEnvoy } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { TestAuthority } from '../../kit/test-authority.js'

let steered: SteeredMesh
afterEach(() => steered.close())

const curl = promisify(execFile)

describe('an Envoy as a gateway', () => {
  it('serves the routes that hang on its Gateway, with TLS where a listener asks for it', async () => {
    const folder = scratchFolder()
    const authority = await TestAuthority.create(folder, scratchFolder())
    await authority.named('default/shop-cert', 'www.shop.example')
    const certificates = fileCertificates(folder)
    const [plain, secure] = [await freePort(), await freePort()]
    const app = await CountedService.start('app')
    steered = await steerMesh({ role: 'gateway', service: 'edge' }, { certificates })
    steered.mesh.register(workload('app', app.port))
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: weft
  addresses: [{ value: 127.0.0.1 }]
  listeners:
    - { name: http, port: ${plain}, protocol: HTTP }
    - { name: https, port: ${secure}, protocol: HTTPS, hostname: '*.shop.example', tls: { certificateRefs: [{ name: shop-cert }] } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: edge }]
  hostnames: [www.shop.example]
  rules: [{ matches: [{ path: { value: /app } }], backendRefs: [{ name: app, port: 80 }] }]
`)
    await listening(plain)
    expect(await ask(plain, 'www.shop.example', '/app/x')).toMatchObject({ status: 200, body: 'app' })
    expect((await ask(plain, 'www.shop.example', '/other')).status).toBe(404)
    expect((await ask(plain, 'other.example', '/app')).status).toBe(404)
    expect(app.last?.headers['x-forwarded-for']).toMatch(/^[\d.]+$/)

    await listening(secure)
    const name = `www.shop.example:${secure}`
    const to = ['--cacert', `${folder}/roots.pem`, '--resolve', `${name}:127.0.0.1`, `https://${name}/app`]
    const { stdout } = await curl('curl', ['-s', '-w', ' %{http_code} %{http_version}', ...to])
    expect(stdout).toBe('app 200 2')
    expect(app.requests).toBe(2)
    certificates.close()
  })

  it('is given the certificates of its own namespace, whatever labels it claims', async () => {
    const folder = scratchFolder()
    const authority = await TestAuthority.create(folder, scratchFolder())
    await authority.named('bank/vault-cert', 'vault.example')
    const certificates = fileCertificates(folder)
    const port = await freePort()
    const app = await CountedService.start('app')
    const claims = { role: 'gateway', service: 'edge', labels: { istio: 'ingress' } } as const
    steered = await steerMesh({ ...claims, node: 'stranger', namespace: 'shop' }, { certificates })
    const { control, mesh } = steered
    mesh.register(workload('vault', app.port, { namespace: 'bank' }))
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: bank }
spec:
  selector: { istio: ingress }
  servers:
    - { port: { number: ${port}, name: https, protocol: HTTPS }, hosts: [vault.example], tls: { mode: SIMPLE, credentialName: vault-cert } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vault, namespace: bank }
spec: { hosts: [vault.example], gateways: [edge], http: [{ route: [{ destination: { host: vault } }] }] }
`)
    const [stranger] = await control.settled(mesh.current().revision, 10_000)
    expect(stranger).toMatchObject({
      state: 'refused',
      issues: [{ code: 'WEFT_MESH_REFERENCE', origin: { kind: 'Gateway', name: 'edge' } }],
    })
    expect(stranger?.issues[0]?.message).toContain('bank/vault-cert is not for data planes of shop')
    const dump = await fetch(`http://127.0.0.1:${steered.envoy.admin}/config_dump?include_eds`)
    expect(await dump.text()).not.toContain('BEGIN CERTIFICATE')

    // Both would be given connections to the port, and the stranger has nothing to show.
    await steered.envoy.program.kill()
    await startEnvoy(control.port, { ...claims, node: 'bank-edge', namespace: 'bank' })
    await listening(port)
    const name = `vault.example:${port}`
    const to = ['--cacert', `${folder}/roots.pem`, '--resolve', `${name}:127.0.0.1`, `https://${name}/`]
    expect((await curl('curl', ['-sS', '-w', ' %{http_code}', ...to])).stdout).toBe('app 200')
    expect(app.requests).toBe(1)
    certificates.close()
  })
})
