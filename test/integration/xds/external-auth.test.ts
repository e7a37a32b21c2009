import { afterEach, describe, expect, it } from 'vitest'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { GrpcAuthorizer } from '../../kit/grpc-authorizer.js'
import { workload } from '../../kit/mesh-source.js'
import { parseProviders } from '../../kit/providers.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  await steered.close()
})

const rule = (path: string, externalAuth: object | null) => ({
  matches: [{ path: { value: path } }],
  filters: externalAuth === null ? [] : [{ type: 'ExternalAuth', externalAuth }],
  backendRefs: [{ name: 'shop', port: 80 }],
})
const route = (parent: object, ...rules: object[]) =>
  `${JSON.stringify({ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: { name: 'shop' }, spec: { parentRefs: [parent], rules } })}\n---\n`
const backendRef = { name: 'authz', port: 9000 }

const custom = JSON.stringify({
  ...{ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name: 'custom' } },
  spec: {
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }],
    ...{
      action: 'CUSTOM',
      provider: { name: 'other' },
      rules: [{ to: [{ operation: { paths: ['/asked/custom'] } }] }],
    },
  },
})

describe('a route with the filter ExternalAuth', () => {
  it('asks over HTTP about its own requests alone, and sends on what the answer says', async () => {
    const [app, authorizer] = [await CountedService.start('shop'), await CountedService.start('authz')]
    steered = await steerMesh()
    steered.mesh.register(workload('shop', app.port))
    steered.mesh.register(workload('authz', authorizer.port))
    authorizer.answer = (request, response) =>
      request.headers['x-tenant'] === 'gold'
        ? response.writeHead(200, { 'x-user': 'ann', 'x-plan': 'a', 'content-type': 'text/x-answer' }).end('yes')
        : response.writeHead(403, { 'x-why': 'no gold' }).end('refused')
    await steered.apply(
      route(
        { kind: 'Service', name: 'shop' },
        rule('/some', {
          protocol: 'HTTP',
          backendRef,
          http: { path: '/check', allowedHeaders: ['x-tenant'], allowedResponseHeaders: ['x-user'] },
        }),
        rule('/all', {
          protocol: 'HTTP',
          backendRef,
          http: { allowedHeaders: ['x-tenant'] },
          forwardBody: { maxSize: 3 },
        }),
        rule('/', null),
      ),
    )
    expect(await tally(5, () => steered.ask('shop', '/open'))).toEqual({ shop: 5 })
    expect(authorizer.requests).toBe(0)
    const refused = await steered.ask('shop', '/some/x', { headers: { 'x-other': 'o', authorization: 'Bearer t' } })
    expect([refused.status, refused.body, refused.headers['x-why']]).toEqual([403, 'refused', 'no gold'])
    expect(authorizer.last).toMatchObject({
      path: '/check/some/x',
      headers: { host: 'shop', authorization: 'Bearer t' },
    })
    expect([authorizer.last?.headers['x-other'], authorizer.last?.headers['content-length']]).toEqual([undefined, '0'])
    expect(await tally(4, () => steered.ask('shop', '/all'))).toEqual({ '403': 4 })
    expect([authorizer.requests, app.requests]).toEqual([5, 5])

    const headers = { 'x-tenant': 'gold', 'content-type': 'text/x-request' }
    const post = { method: 'POST', body: 'a long body', headers }
    expect((await steered.ask('shop', '/some', post)).status).toBe(200)
    expect(app.last?.headers).toMatchObject({ 'x-user': 'ann', 'content-length': '11' })
    expect(app.last?.headers['x-plan']).toBeUndefined()
    expect((await steered.ask('shop', '/all', post)).status).toBe(200)
    // All of the answer's headers but those that are about the answer.
    expect(app.last?.headers).toMatchObject({ 'x-user': 'ann', 'x-plan': 'a', 'content-type': 'text/x-request' })
    expect(app.last?.headers).toMatchObject({ 'content-length': '11', host: 'shop' })
    expect(authorizer.last?.headers['content-length']).toBe('3')
    expect([authorizer.requests, app.requests]).toEqual([7, 7])

    await authorizer.close()
    expect(await tally(3, () => steered.ask('shop', '/some', { headers }))).toEqual({ '403': 3 })
    expect(await tally(3, () => steered.ask('shop', '/open'))).toEqual({ shop: 3 })
    expect(app.requests).toBe(10)
  })

  it('asks over gRPC at a gateway, beside a CUSTOM policy, and answers 500 where there is nobody to ask', async () => {
    const app = await CountedService.start('shop')
    const authorizer = await GrpcAuthorizer.start()
    open.push(authorizer)
    authorizer.answer = ({ attributes }) => ({
      status: { code: attributes?.request?.http?.headers?.['x-tenant'] === 'gold' ? 0 : 7 },
    })
    const other = await CountedService.start('other')
    const extensionProviders = parseProviders([
      { name: 'other', envoyExtAuthzHttp: { service: '127.0.0.1', port: other.port } },
    ])
    steered = await steerMesh({ role: 'gateway', service: 'edge', node: 'edge-1' }, { mesh: { extensionProviders } })
    const port = await freePort()
    steered.mesh.register(workload('shop', app.port))
    steered.mesh.register(workload('authz', authorizer.port))
    await steered.apply(
      `${JSON.stringify({ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', metadata: { name: 'edge' }, spec: { gatewayClassName: 'weft', addresses: [{ value: '127.0.0.1' }], listeners: [{ name: 'http', port, protocol: 'HTTP' }] } })}\n---\n${route(
        { name: 'edge' },
        rule('/asked', { protocol: 'GRPC', backendRef }),
        rule('/told', { protocol: 'GRPC', backendRef, grpc: { allowedHeaders: ['x-other'] } }),
        rule('/', null),
      )}`,
    )
    await listening(port)
    const call = (path: string, headers: Record<string, string> = {}) => ask(port, 'any.example', path, { headers })
    const gold = { 'x-tenant': 'gold' }
    expect(await tally(5, () => call('/open'))).toEqual({ shop: 5 })
    expect(await tally(5, () => call('/asked'))).toEqual({ '403': 5 })
    expect(await tally(5, () => call('/asked', gold))).toEqual({ shop: 5 })
    expect(authorizer.asked.length).toBe(10)
    // What it is not told it cannot go by.
    expect(await tally(2, () => call('/told', { ...gold, 'x-other': '1' }))).toEqual({ '403': 2 })
    expect(authorizer.asked[10]?.attributes?.request?.http?.headers).toMatchObject({ 'x-other': '1' })
    expect(app.requests).toBe(10)

    await steered.apply(custom)
    expect(await tally(3, () => call('/asked/custom', gold))).toEqual({ shop: 3 })
    expect([other.requests, authorizer.asked.length, app.requests]).toEqual([3, 15, 13])
    other.answer = (_, response) => response.writeHead(401).end()
    expect(await tally(3, () => call('/asked/custom', gold))).toEqual({ '401': 3 })
    expect(await tally(2, () => call('/asked', gold))).toEqual({ shop: 2 })
    expect([other.requests, authorizer.asked.length, app.requests]).toEqual([6, 17, 15])

    steered.mesh.apply(
      route(
        { name: 'edge' },
        rule('/asked', { protocol: 'GRPC', backendRef: { name: 'nobody', port: 1 } }),
        rule('/', null),
      ),
    )
    await steered.inForce()
    expect(await tally(3, () => call('/asked', gold))).toEqual({ '500': 3 })
    expect(await tally(3, () => call('/open'))).toEqual({ shop: 3 })
    expect([authorizer.asked.length, app.requests]).toEqual([17, 18])
  })
})
