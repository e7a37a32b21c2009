import { Agent, get } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, CountedService } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { TokenIssuer } from '../../kit/token-issuer.js'

let steered: SteeredMesh
afterEach(() => steered.close())

const authentication = (name: string, rules: object[], more: object = {}) =>
  resource('RequestAuthentication', name, { selector: { matchLabels: { app: 'reviews' } }, jwtRules: rules, ...more })

const policy = (name: string, spec: object) => resource('AuthorizationPolicy', name, spec)

function resource(kind: string, name: string, spec: object): string {
  return `${JSON.stringify({ apiVersion: 'security.istio.io/v1', kind, metadata: { name }, spec })}\n---\n`
}

/** An application behind an Envoy, and a call of it with tokens where they are wanted. */
async function guarded() {
  const app = await CountedService.start('app')
  steered = await steerMesh({ service: 'reviews', app: `127.0.0.1:${app.port}` })
  const { inbound } = steered.envoy
  await listening(inbound)
  const call = async (token: string | null, path = '/', headers: Record<string, string> = {}) => {
    const bearer: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
    return (await ask(inbound, 'reviews', path, { headers: { ...bearer, ...headers } })).status
  }
  /** A listener that was renewed takes the place of the old one a moment after it was taken. */
  const until = async (status: number, token: string | null) => {
    const signal = AbortSignal.timeout(10_000)
    while ((await call(token, '/', { connection: 'close' })) !== status) signal.throwIfAborted()
  }
  return { app, call, until }
}

describe('a RequestAuthentication at the door of a workload', () => {
  it('takes valid tokens and none at all, and refuses every other', async () => {
    const { app, call, until } = await guarded()
    const [good, other, foreign] = [
      await TokenIssuer.create('https://issuer.example', 'ES256'),
      await TokenIssuer.create('https://other.example', 'RS256'),
      await TokenIssuer.create('https://foreign.example'),
    ]
    const forger = await TokenIssuer.create(good.url)
    await steered.apply(
      authentication('tokens', [
        { issuer: good.url, audiences: ['reviews', 'shop'], jwks: good.keySet },
        { issuer: other.url, jwks: other.keySet },
      ]),
    )
    await until(401, 'no token')
    const before = app.requests
    expect(await call(null)).toBe(200)
    expect(await call(await good.token({}, { audience: 'reviews' }))).toBe(200)
    expect(app.last?.headers.authorization).toBeUndefined()
    expect(await call(await good.token({}, { audience: ['else', 'shop'] }))).toBe(200)
    expect(await call(await other.token())).toBe(200)
    expect(await call(null, `/?access_token=${await other.token()}`)).toBe(200)
    expect(app.requests - before).toBe(5)

    // Envoy, and with it Istio, says 403 of a good token that is for somebody else.
    expect(await call(await good.token({}, { audience: 'else' }))).toBe(403)
    expect(await call(await good.token())).toBe(403)
    expect(await call(await good.token({}, { audience: 'reviews', expiresIn: -600 }))).toBe(401)
    expect(await call(await foreign.token())).toBe(401)
    expect(await call(await forger.token({}, { audience: 'reviews' }))).toBe(401)
    expect(await call('not.a.token')).toBe(401)
    expect(await call(null, `/?access_token=${await foreign.token()}`)).toBe(401)
    const [head, , signature] = (await other.token()).split('.')
    const unsigned = Buffer.from(JSON.stringify({ iss: other.url, sub: 'mallory' })).toString('base64url')
    expect(await call(`${head}.${unsigned}.${signature}`)).toBe(401)
    expect(await call(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${unsigned}.`)).toBe(401)
    expect(app.requests - before).toBe(5)
  })

  it('finds tokens where it is told, and hands on what it is told', async () => {
    const { app, call, until } = await guarded()
    const [one, two] = [
      await TokenIssuer.create('https://one.example'),
      await TokenIssuer.create('https://two.example'),
    ]
    await steered.apply(
      authentication('tokens', [
        {
          issuer: one.url,
          jwks: one.keySet,
          fromHeaders: [{ name: 'x-token', prefix: 'Token ' }],
          fromCookies: ['session'],
          outputPayloadToHeader: 'x-payload',
          outputClaimToHeaders: [{ header: 'x-user', claim: 'sub' }],
          forwardOriginalToken: true,
        },
        {
          issuer: two.url,
          jwks: two.keySet,
          fromParams: ['t'],
          outputClaimToHeaders: [{ header: 'x-two', claim: 'sub' }],
        },
      ]),
    )
    const token = await one.token({ sub: 'bob' })
    const signal = AbortSignal.timeout(10_000)
    while ((await call(null, '/', { cookie: 'session=bad', connection: 'close' })) !== 401) signal.throwIfAborted()
    expect(await call(null, '/', { 'x-token': `Token ${token}`, 'x-user': 'root', 'x-two': 'root' })).toBe(200)
    const headers = app.last?.headers
    expect(headers).toMatchObject({ 'x-token': `Token ${token}`, 'x-user': 'bob' })
    expect(headers?.['x-two']).toBeUndefined()
    expect(JSON.parse(Buffer.from(String(headers?.['x-payload']), 'base64url').toString())).toMatchObject({
      sub: 'bob',
    })
    expect(await call(null, '/', { cookie: `a=b; session=${token}` })).toBe(200)
    expect(await call(null, `/?t=${await two.token()}`)).toBe(200)
    expect(app.last?.headers['x-two']).toBe('alice')
    // A bad token is no better for the good one beside it, wherever the two stand.
    const both = { 'x-token': `Token ${token}` }
    expect(await call(null, `/?t=${await two.token()}`, both)).toBe(200)
    expect(await call(null, `/?t=${await two.token({}, { expiresIn: -600 })}`, both)).toBe(401)
    expect(await call(null, `/?t=${await two.token()}`, { 'x-token': 'Token bad' })).toBe(401)
    expect(await call(null, '/', { ...both, cookie: 'session=bad' })).toBe(401)
    // Nobody looks for a token there.
    expect(await call('rubbish')).toBe(200)
    // What the filter would write may not come from outside.
    expect(await call(null, '/', { 'x-user': 'root', 'x-payload': 'root', 'x-two': 'root' })).toBe(200)
    expect(app.last?.headers['x-user']).toBeUndefined()
    expect(app.last?.headers['x-payload']).toBeUndefined()
    expect(app.last?.headers['x-two']).toBeUndefined()
    await until(200, null)
  })
})

describe('a connection that is open', () => {
  it.each(['delta', 'state of the world'])(
    'is under what was applied from its next request on (%s)',
    async (variant) => {
      const app = await CountedService.start('app')
      const stateOfTheWorld = variant !== 'delta'
      steered = await steerMesh({ service: 'reviews', app: `127.0.0.1:${app.port}`, stateOfTheWorld })
      const { inbound } = steered.envoy
      await listening(inbound)
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const sockets = new Set<unknown>()
      const call = (token: string) =>
        new Promise<number>((resolve, reject) => {
          const headers = { host: 'reviews', authorization: `Bearer ${token}` }
          get({ host: '127.0.0.1', port: inbound, agent, headers }, (response) => {
            sockets.add(response.socket)
            response.resume().on('end', () => resolve(response.statusCode ?? 0))
          }).on('error', reject)
        })
      const until = async (status: number, token: string) => {
        const signal = AbortSignal.timeout(10_000)
        while ((await call(token)) !== status) signal.throwIfAborted()
      }
      const issuer = await TokenIssuer.create('https://issuer.example')
      const rules = () => authentication('tokens', [{ issuer: issuer.url, jwks: issuer.keySet }])
      expect(await call('rubbish')).toBe(200)
      await steered.apply(rules())
      await until(401, 'rubbish')
      const old = await issuer.token()
      expect(await call(old)).toBe(200)
      await issuer.rotate()
      await steered.apply(rules())
      await until(401, old)
      expect(await call(await issuer.token())).toBe(200)
      steered.mesh.delete('RequestAuthentication', 'tokens')
      await steered.inForce()
      await until(200, 'rubbish')
      expect(sockets.size).toBe(1)
      agent.destroy()
    },
  )
})

describe('a RequestAuthentication at a gateway', () => {
  it('is for the Gateway that it targets', async () => {
    const app = await CountedService.start('app')
    const port = await freePort()
    steered = await steerMesh({ role: 'gateway', service: 'edge' })
    steered.mesh.register(workload('reviews', app.port))
    const issuer = await TokenIssuer.create('https://issuer.example', 'RS256')
    const rules = (gateway: string) =>
      resource('RequestAuthentication', 'edge', {
        targetRefs: [{ kind: 'Gateway', group: 'gateway.networking.k8s.io', name: gateway }],
        jwtRules: [{ issuer: issuer.url, jwks: issuer.keySet }],
      })
    await steered.apply(`${rules('edge')}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: weft
  addresses: [{ value: 127.0.0.1 }]
  listeners: [{ name: http, port: ${port}, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: all }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ name: reviews, port: 80 }] }]
---
${policy('edge', { targetRefs: [{ kind: 'Gateway', name: 'edge' }], rules: [{ when: [{ key: 'request.auth.claims[tier]', values: ['gold'] }] }] })}`)
    await listening(port)
    const call = async (token: string) =>
      (await ask(port, 'shop.example', '/', { headers: { authorization: `Bearer ${token}`, connection: 'close' } }))
        .status
    const [gold, plain] = [await issuer.token({ tier: 'gold' }), await issuer.token()]
    expect([await call(gold), await call(plain), await call('no.token.this')]).toEqual([200, 403, 401])
    expect(app.requests).toBe(1)
    await steered.apply(rules('another'))
    const signal = AbortSignal.timeout(10_000)
    while ((await call('no.token.this')) !== 403) signal.throwIfAborted()
    expect(app.requests).toBe(1)
  })
})

describe('an AuthorizationPolicy on tokens', () => {
  it('decides by who they are of and what they say', async () => {
    const { app, call, until } = await guarded()
    const issuer = await TokenIssuer.create('https://issuer.example/realm')
    const rules = authentication('tokens', [{ issuer: issuer.url, jwks: issuer.keySet }])
    const of = (claims: object) => issuer.token(claims as Record<string, unknown>)
    await steered.apply(rules + policy('who', { rules: [{ from: [{ source: { requestPrincipals: ['*'] } }] }] }))
    await until(403, null)
    await until(401, 'no token')
    expect(await call(await of({}))).toBe(200)

    const allow = async (rule: object) => {
      await steered.apply(policy('who', { rules: [rule] }))
    }
    await allow({ from: [{ source: { requestPrincipals: ['https://issuer.example/realm/bob'] } }] })
    expect([await call(await of({ sub: 'bob' })), await call(await of({})), await call(null)]).toEqual([200, 403, 403])
    await allow({ from: [{ source: { requestPrincipals: ['https://issuer.example/*'] } }] })
    expect([await call(await of({})), await call(null)]).toEqual([200, 403])
    await allow({ from: [{ source: { requestPrincipals: ['*m/bob', 'https://elsewhere.example/*'] } }] })
    expect([await call(await of({ sub: 'bob' })), await call(await of({ sub: 'xbob' }))]).toEqual([200, 403])
    await allow({ from: [{ source: { requestPrincipals: ['*'], notRequestPrincipals: ['*/eve'] } }] })
    expect([await call(await of({})), await call(await of({ sub: 'eve' })), await call(null)]).toEqual([200, 403, 403])

    await allow({ when: [{ key: 'request.auth.claims[groups]', values: ['admins', 'ops-*'] }] })
    expect(await call(await of({ groups: ['users', 'admins'] }))).toBe(200)
    expect(await call(await of({ groups: 'ops-night' }))).toBe(200)
    expect(await call(await of({ groups: ['users'] }))).toBe(403)
    expect(await call(await of({}))).toBe(403)
    await allow({ when: [{ key: 'request.auth.claims[realm][level]', values: ['gold'] }] })
    expect([await call(await of({ realm: { level: 'gold' } })), await call(await of({ level: 'gold' }))]).toEqual([
      200, 403,
    ])
    await allow({ when: [{ key: 'request.auth.claims[scope]', values: ['write'] }] })
    expect([await call(await of({ scope: 'read write' })), await call(await of({ scope: 'rewrite' }))]).toEqual([
      200, 403,
    ])
    await allow({
      when: [
        { key: 'request.auth.audiences', values: ['shop'] },
        { key: 'request.auth.presenter', values: ['app-*'] },
      ],
    })
    expect(await call(await of({ aud: ['x', 'shop'], azp: 'app-1' }))).toBe(200)
    expect(await call(await of({ aud: 'shop', azp: 'app-1' }))).toBe(200)
    expect(await call(await of({ aud: 'shop' }))).toBe(403)
    await allow({ when: [{ key: 'request.auth.claims[banned]', notValues: ['*'] }] })
    expect([await call(await of({ banned: 'yes' })), await call(await of({})), await call(null)]).toEqual([
      403, 200, 200,
    ])
    expect(app.last?.path).toBe('/')
  })

  it('denies what matches, and what has no token where that is asked', async () => {
    const { app, call, until } = await guarded()
    const issuer = await TokenIssuer.create('https://issuer.example')
    const deny = (rule: object) => policy('no', { action: 'DENY', rules: [rule] })
    await steered.apply(
      authentication('tokens', [{ issuer: issuer.url, jwks: issuer.keySet }]) +
        deny({ from: [{ source: { notRequestPrincipals: ['*'] } }], to: [{ operation: { paths: ['/admin*'] } }] }),
    )
    await until(401, 'no token')
    const [alice, eve] = [await issuer.token(), await issuer.token({ sub: 'eve' })]
    expect([await call(null, '/admin'), await call(alice, '/admin'), await call(null, '/')]).toEqual([403, 200, 200])
    await steered.apply(deny({ from: [{ source: { requestPrincipals: ['https://issuer.example/eve'] } }] }))
    expect([await call(null), await call(alice), await call(eve)]).toEqual([200, 200, 403])
    await steered.apply(deny({ when: [{ key: 'request.auth.claims[sub]', notValues: ['alice'] }] }))
    expect([await call(null), await call(alice), await call(eve)]).toEqual([403, 200, 403])

    // Without a rule for tokens there are no principals.
    steered.mesh.delete('RequestAuthentication', 'tokens')
    await steered.apply(deny({ from: [{ source: { requestPrincipals: ['*'] } }] }))
    await until(200, 'no token')
    await steered.apply(deny({ from: [{ source: { notRequestPrincipals: ['*'] } }] }))
    await until(403, alice)
    expect(app.requests).toBeGreaterThan(0)
  })
})
