import { afterEach, describe, expect, it } from 'vitest'
import { fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { type Envoy, listening, startEnvoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { TestAuthority } from '../../kit/test-authority.js'

let steered: SteeredMesh
afterEach(() => steered.close())

const policy = (name: string, spec: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name} }
spec: ${spec}
---
`

describe('an AuthorizationPolicy at the door of a workload', () => {
  it('allows and denies by method, path, header and address', async () => {
    const app = await CountedService.start('app')
    steered = await steerMesh({ service: 'reviews', app: `127.0.0.1:${app.port}` })
    await listening(steered.envoy.inbound)
    const call = async (path: string, options: Parameters<typeof ask>[3] = {}) =>
      (await ask(steered.envoy.inbound, 'reviews', path, options)).status
    expect(await call('/')).toBe(200)

    await steered.apply(
      policy(
        'read',
        '{ selector: { matchLabels: { app: reviews } }, action: ALLOW, rules: [{ to: [{ operation: { methods: [GET], paths: [/reviews/*] } }] }] }',
      ) +
        policy(
          'no-admin',
          "{ action: DENY, rules: [{ to: [{ operation: { paths: ['*/admin'] } }] }, { when: [{ key: 'request.headers[x-blocked]', values: ['*'] }] }] }",
        ),
    )
    expect(await call('/reviews/1')).toBe(200)
    expect(await call('/other')).toBe(403)
    expect(await call('/reviews/1', { method: 'POST' })).toBe(403)
    expect(await call('/reviews/admin')).toBe(403)
    expect(await call('/x/../reviews/1')).toBe(200)
    expect(await call('/reviews/1', { headers: { 'x-blocked': '1' } })).toBe(403)

    await steered.apply(policy('read', '{ rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }] }] }'))
    expect(await call('/reviews/1')).toBe(403)
    await steered.apply(policy('read', '{ rules: [{ from: [{ source: { notIpBlocks: [10.0.0.0/8] } }] }] }'))
    expect(await call('/reviews/1')).toBe(200)
    // An ALLOW policy without rules matches nothing, so nothing is allowed.
    await steered.apply(policy('read', '{}'))
    expect(await call('/reviews/1')).toBe(403)
    // A policy for somebody else has no say here.
    await steered.apply(policy('read', '{ selector: { matchLabels: { app: ratings } } }'))
    expect(await call('/reviews/1')).toBe(200)
    expect(app.requests).toBe(5)
  })
})

describe('PeerAuthentication STRICT with certificates from files', () => {
  it('lets in who shows an identity that a policy names, and nobody without a certificate', async () => {
    const folder = scratchFolder()
    const authority = await TestAuthority.create(folder, scratchFolder())
    for (const account of ['reviews', 'productpage', 'stranger']) await authority.identity(account)
    const certificates = fileCertificates(folder)
    const app = await CountedService.start('reviews')
    steered = await steerMesh({ node: 'productpage-1' }, { certificates, mesh: { trustDomain: 'shop.example' } })
    const { control, mesh } = steered
    const server: Envoy = await startEnvoy(control.port, {
      node: 'reviews-1',
      service: 'reviews',
      app: `127.0.0.1:${app.port}`,
    })
    const stranger = await startEnvoy(control.port, { node: 'stranger-1', service: 'stranger' })
    mesh.register(workload('reviews', server.inbound))
    await steered.apply(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---${policy('reviews-callers', '{ selector: { matchLabels: { app: reviews } }, action: ALLOW, rules: [{ from: [{ source: { principals: [shop.example/ns/default/sa/productpage] } }] }] }')}`)
    await listening(server.inbound)
    expect(await tally(10, () => steered.ask('reviews'))).toEqual({ reviews: 10 })
    expect(app.last?.headers['x-forwarded-client-cert']).toContain(
      'URI=spiffe://shop.example/ns/default/sa/productpage',
    )
    expect(await tally(5, () => ask(stranger.outbound, 'reviews'))).toEqual({ '403': 5 })
    await expect(ask(server.inbound, 'reviews')).rejects.toThrow()
    expect(app.requests).toBe(10)

    await steered.apply(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: PERMISSIVE } }
---${policy('reviews-callers', '{ selector: { matchLabels: { app: reviews } }, rules: [{}] }')}`)
    expect(await tally(5, () => steered.ask('reviews'))).toEqual({ reviews: 5 })
    certificates.close()
  })

  it('is told on a data plane that has no certificate, and lets nobody in there', async () => {
    const app = await CountedService.start('app')
    steered = await steerMesh({ service: 'reviews', app: `127.0.0.1:${app.port}` })
    await listening(steered.envoy.inbound)
    const call = () => ask(steered.envoy.inbound, 'reviews', '/', { headers: { connection: 'close' } })
    expect(await call()).toMatchObject({ status: 200 })
    steered.mesh.apply(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
`)
    const [verdict] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(verdict).toMatchObject({
      state: 'refused',
      issues: [{ code: 'WEFT_MESH_REFERENCE', origin: { kind: 'PeerAuthentication', name: 'default' } }],
    })
    expect(verdict?.issues[0]?.message).toContain('certificate for the account default/reviews')
    // The new listener takes the place of the old one a moment after it was taken.
    const signal = AbortSignal.timeout(10_000)
    while (await call().then(Boolean, () => false)) signal.throwIfAborted()
    const { requests } = app
    await expect(call()).rejects.toThrow()
    expect(app.requests).toBe(requests)
  })
})
