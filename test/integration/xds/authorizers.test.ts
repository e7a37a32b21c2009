import { afterEach, describe, expect, it } from 'vitest'
import { type Asked, ask, CountedService, tally } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { GrpcAuthorizer } from '../../kit/grpc-authorizer.js'
import { parseProviders } from '../../kit/providers.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  await steered.close()
})

const policy = (name: string, spec: object) =>
  `${JSON.stringify({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name }, spec })}\n---\n`
const custom = (provider: string, paths: string[], name = provider) =>
  policy(name, { action: 'CUSTOM', provider: { name: provider }, rules: [{ to: [{ operation: { paths } }] }] })

async function door(providers: object[]) {
  const app = await CountedService.start('app')
  const mesh = { extensionProviders: parseProviders(providers) }
  steered = await steerMesh({ service: 'reviews', app: `127.0.0.1:${app.port}` }, { mesh })
  await listening(steered.envoy.inbound)
  const call = (path: string, options: Parameters<typeof ask>[3] = {}): Promise<Asked> =>
    ask(steered.envoy.inbound, 'reviews', path, options)
  return { app, call }
}

describe('action CUSTOM over HTTP', () => {
  it('asks about what the rules match, and refuses whom the authorizer refuses', async () => {
    const authorizer = await CountedService.start('authorizer')
    authorizer.answer = (request, response) =>
      request.headers['x-tenant'] === 'gold'
        ? response.writeHead(200, { 'x-user': 'ann', 'x-limit': '5', 'x-other': 'no' }).end()
        : response.writeHead(401, { 'x-why': 'no gold', 'x-other': 'no' }).end('refused')
    const { app, call } = await door([
      {
        name: 'http',
        envoyExtAuthzHttp: {
          service: '127.0.0.1',
          port: authorizer.port,
          pathPrefix: '/check',
          includeRequestHeadersInCheck: ['x-ten*'],
          includeAdditionalHeadersInCheck: { 'x-mesh': 'shop' },
          headersToUpstreamOnAllow: ['x-user'],
          headersToDownstreamOnAllow: ['x-limit'],
          headersToDownstreamOnDeny: ['x-why'],
        },
      },
    ])
    await steered.apply(custom('http', ['/admin*']))
    expect(await tally(5, () => call('/open', { headers: { 'x-user': 'mine' } }))).toEqual({ app: 5 })
    expect([authorizer.requests, app.last?.headers['x-user']]).toEqual([0, 'mine'])

    const refused = await call('/admin?q=1', { headers: { 'x-secret': 's', authorization: 'Bearer t' } })
    expect([refused.status, refused.body, refused.headers['x-why'], refused.headers['x-other']]).toEqual([
      ...[401, 'refused', 'no gold', undefined],
    ])
    expect(authorizer.last).toMatchObject({
      ...{ method: 'GET', path: '/check/admin?q=1' },
      headers: { host: 'reviews', authorization: 'Bearer t', 'x-mesh': 'shop' },
    })
    expect(authorizer.last?.headers['x-secret']).toBeUndefined()
    expect(await tally(9, () => call('/admin'))).toEqual({ '401': 9 })
    expect([authorizer.requests, app.requests]).toEqual([10, 5])

    const passed = await call('/admin', { headers: { 'x-tenant': 'gold', 'x-user': 'forged' } })
    expect([passed.status, passed.headers['x-limit'], passed.headers['x-other']]).toEqual([200, '5', undefined])
    expect([app.last?.headers['x-user'], app.last?.headers['x-other']]).toEqual(['ann', undefined])
    expect([authorizer.requests, app.requests]).toEqual([11, 6])
  })

  it('comes before DENY and ALLOW, which decide on what the authorizer lets pass', async () => {
    const authorizer = await CountedService.start('authorizer')
    const { app, call } = await door([
      { name: 'http', envoyExtAuthzHttp: { service: '127.0.0.1', port: authorizer.port } },
    ])
    const to = (paths: string[]) => [{ to: [{ operation: { paths } }] }]
    await steered.apply(
      custom('http', ['/*']) +
        policy('deny', { action: 'DENY', rules: to(['/denied']) }) +
        policy('allow', { rules: to(['/allowed', '/denied']) }),
    )
    expect((await call('/allowed')).status).toBe(200)
    expect((await call('/denied')).status).toBe(403)
    expect((await call('/other')).status).toBe(403)
    expect([authorizer.requests, app.requests]).toEqual([3, 1])
    authorizer.answer = (_, response) => response.writeHead(418).end()
    expect(await tally(3, () => call('/allowed'))).toEqual({ '418': 3 })
    expect((await call('/denied')).status).toBe(418)
    expect([authorizer.requests, app.requests]).toEqual([7, 1])
  })

  it('refuses with 403 where the authorizer is dead, with the status that it says, or lets pass', async () => {
    const authorizer = await CountedService.start('authorizer')
    const at = { service: '127.0.0.1', port: authorizer.port, timeout: '1s' }
    const { app, call } = await door([
      { name: 'closed', envoyExtAuthzHttp: at },
      { name: 'status', envoyExtAuthzHttp: { ...at, statusOnError: '503' } },
      { name: 'open', envoyExtAuthzHttp: { ...at, failOpen: true } },
    ])
    await steered.apply(custom('closed', ['/closed']) + custom('status', ['/status']) + custom('open', ['/open']))
    const paths = ['/closed', '/status', '/open']
    for (const path of paths) expect((await call(path)).status).toBe(200)
    // An answer 5xx is no word either way.
    authorizer.answer = (_, response) => response.writeHead(500).end()
    for (const [index, status] of [403, 503, 200].entries())
      expect((await call(paths[index] ?? '')).status).toBe(status)
    expect([authorizer.requests, app.requests]).toEqual([6, 4])
    await authorizer.close()
    expect(await tally(5, () => call('/closed'))).toEqual({ '403': 5 })
    expect(await tally(5, () => call('/status'))).toEqual({ '503': 5 })
    expect(await tally(5, () => call('/open'))).toEqual({ app: 5 })
    expect(app.requests).toBe(9)
  })

  it('asks each provider that a request is for, and denies where there is none of the name', async () => {
    const [one, other] = [await CountedService.start('one'), await CountedService.start('other')]
    const { app, call } = await door([
      { name: 'one', envoyExtAuthzHttp: { service: '127.0.0.1', port: one.port } },
      { name: 'other', envoyExtAuthzHttp: { service: '127.0.0.1', port: other.port } },
    ])
    await steered.apply(custom('one', ['/a', '/both']) + custom('other', ['/b', '/both']))
    for (const path of ['/a', '/b', '/both', '/none']) expect((await call(path)).status).toBe(200)
    expect([one.requests, other.requests, app.requests]).toEqual([2, 2, 4])
    other.answer = (_, response) => response.writeHead(403).end()
    expect((await call('/both')).status).toBe(403)
    expect([one.requests, other.requests, app.requests]).toEqual([3, 3, 4])

    steered.mesh.apply(custom('nobody', ['/c']))
    const [verdict] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(verdict).toMatchObject({
      state: 'refused',
      issues: [{ code: 'WEFT_MESH_REFERENCE', origin: { name: 'nobody', path: 'spec.provider' } }],
    })
    await expect.poll(async () => (await call('/c')).status).toBe(403)
    expect((await call('/a')).status).toBe(200)
  })
})

describe('action CUSTOM over gRPC', () => {
  it('tells the authorizer the request with its body, and does what it says', async () => {
    const authorizer = await GrpcAuthorizer.start()
    open.push(authorizer)
    authorizer.answer = ({ attributes }) => {
      const { headers = {}, body = '' } = attributes?.request?.http ?? {}
      if (headers['x-tenant'] === 'gold')
        return {
          status: { code: 0 },
          httpResponse: {
            case: 'okResponse',
            value: { headers: [{ header: { key: 'x-body', value: body } }], headersToRemove: ['x-tenant'] },
          },
        }
      return {
        status: { code: 7 },
        httpResponse: { case: 'deniedResponse', value: { status: { code: 429 }, body: 'slow down' } },
      }
    }
    const { app, call } = await door([
      {
        name: 'grpc',
        envoyExtAuthzGrpc: {
          ...{ service: '127.0.0.1', port: authorizer.port, timeout: '5s' },
          includeRequestBodyInCheck: { maxRequestBytes: 4, allowPartialMessage: true },
        },
      },
    ])
    await steered.apply(custom('grpc', ['/asked']))
    expect(await tally(3, () => call('/open'))).toEqual({ app: 3 })
    expect(authorizer.asked).toEqual([])
    const refused = await call('/asked')
    expect([refused.status, refused.body]).toEqual([429, 'slow down'])
    const passed = await call('/asked', { method: 'POST', headers: { 'x-tenant': 'gold' }, body: 'a long body' })
    expect(passed.status).toBe(200)
    expect([app.last?.headers['x-body'], app.last?.headers['x-tenant']]).toEqual(['a lo', undefined])
    expect([authorizer.asked.length, app.requests]).toEqual([2, 4])
    const { method, path, host } = authorizer.asked[1]?.attributes?.request?.http ?? {}
    expect([method, path, host]).toEqual(['POST', '/asked', 'reviews'])

    authorizer.close()
    expect(await tally(3, () => call('/asked', { headers: { 'x-tenant': 'gold' } }))).toEqual({ '403': 3 })
    expect(app.requests).toBe(4)
  })
})
