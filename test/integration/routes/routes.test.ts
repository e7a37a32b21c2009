/** Routes on real sockets: which one takes a request, and what its action does with it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAnswer, value, values } from '../../kit/h1-message.js'
import { RoutedWeft } from '../../kit/routed-weft.js'
import { Wire } from '../../kit/wire.js'

let weft: RoutedWeft

beforeAll(async () => {
  weft = await RoutedWeft.start(
    [
      {
        name: 'testers',
        hosts: ['reviews'],
        matches: [{ path: { prefix: '/' }, headers: [{ name: 'end-user', exact: 'tester' }], method: 'GET' }],
        forward: [{ cluster: 'v2' }],
      },
      {
        name: 'canary',
        hosts: ['reviews'],
        forward: [
          { cluster: 'v1', weight: 90 },
          { cluster: 'v2', weight: 10 },
        ],
        sticky: { header: 'end-user' },
        requestHeaders: { set: { 'x-env': 'prod' }, add: { 'x-more': 'b' }, remove: ['x-debug'] },
        responseHeaders: { set: { 'x-served': 'weft' }, remove: ['server', 'x-internal'] },
        rewrite: { pathPrefix: '/', host: 'reviews.internal' },
      },
      {
        name: 'api',
        hosts: ['*.shop.example'],
        matches: [{ path: { prefix: '/api/' } }, { path: { regex: '/v[0-9]+/items' } }],
        forward: [{ cluster: 'v1' }],
      },
      {
        name: 'stripped',
        hosts: ['stripped.shop.example'],
        matches: [{ path: { prefix: '/api' } }],
        forward: [{ cluster: 'v2' }],
        rewrite: { pathPrefix: '/inner' },
      },
      {
        name: 'one-page',
        hosts: ['page'],
        matches: [{ query: [{ name: 'user', regex: 'a+' }] }],
        forward: [{ cluster: 'v2' }],
        rewrite: { path: '/index.html' },
      },
      { name: 'moved', hosts: ['old.example'], redirect: { host: 'new.example', scheme: 'https', status: 301 } },
      {
        name: 'moved-path',
        hosts: ['path.example'],
        matches: [{ path: { prefix: '/v1' } }],
        redirect: { pathPrefix: '/v2', status: 308 },
        responseHeaders: { set: { 'cache-control': 'max-age=60' } },
      },
      {
        name: 'healthy',
        matches: [
          { path: { exact: '/-/healthy' }, method: 'GET' },
          { path: { exact: '/-/healthy' }, method: 'HEAD' },
        ],
        respond: { body: 'ok' },
      },
      { name: 'nothing', hosts: ['empty'], respond: { status: 204, headers: { 'x-why': 'nothing' } } },
      {
        name: 'degraded',
        hosts: ['ratings'],
        forward: [{ cluster: 'dead' }],
        fallback: {
          on: ['connect-failure'],
          respond: { headers: { 'Content-Type': 'application/json' }, body: '{"degraded":true}' },
        },
      },
      {
        name: 'not-covered',
        hosts: ['uncovered'],
        forward: [{ cluster: 'dead' }],
        fallback: { on: ['timeout'], respond: { body: 'x' } },
      },
    ],
    { serviceHeader: 'X-Weft-Service' },
  )
})

afterAll(() => weft.stop())

describe('a route is chosen', () => {
  it('by host and header, the more specific one first', async () => {
    expect((await weft.ask('reviews', 'GET /', ['End-User: tester'])).body).toBe('v2')
    expect((await weft.ask('REVIEWS.:8080', 'GET /', ['End-User: tester'])).body).toBe('v2')
  })

  it('by the service header before the host', async () => {
    expect((await weft.ask('127.0.0.1', 'GET /', ['x-weft-service: reviews', 'end-user: tester'])).body).toBe('v2')
    expect((await weft.ask('reviews', 'GET /', ['X-Weft-Service: nobody', 'end-user: tester'])).status).toBe(404)
  })

  it('by suffix, prefix and regex', async () => {
    expect((await weft.ask('a.b.shop.example', 'GET /api/x')).body).toBe('v1')
    expect((await weft.ask('a.shop.example', 'GET /v12/items')).body).toBe('v1')
    expect((await weft.ask('a.shop.example', 'GET /apis')).status).toBe(404)
    expect((await weft.ask('shop.example', 'GET /api')).status).toBe(404)
    expect((await weft.ask('a.shop.example', 'GET /x/../api//y')).body).toBe('v1')
  })

  it('by a parameter of the query, its escapes decoded', async () => {
    expect((await weft.ask('page', 'GET /?x=1&user=%61a')).body).toBe('v2')
    expect((await weft.ask('page', 'GET /?user=b')).status).toBe(404)
  })

  it('or none, and the answer says so', async () => {
    const answered = await weft.ask('nobody', 'GET /')
    expect(answered.status).toBe(404)
    expect(value(answered, 'proxy-status')).toContain('destination_not_found')
  })
})

describe('a split', () => {
  it('keeps a user with one version, and about a tenth of the users with the canary', async () => {
    const wire = await Wire.connect(weft.port)
    const versionOf = async (user: number): Promise<string> => {
      await wire.send(`GET / HTTP/1.1\r\nHost: reviews\r\nEnd-User: user-${user}\r\n\r\n`)
      return (await readAnswer(wire)).body
    }
    const first: string[] = []
    for (let user = 0; user < 200; user += 1) first.push(await versionOf(user))
    for (let user = 0; user < 200; user += 1) expect(await versionOf(user)).toBe(first[user])
    wire.close()
    const canary = first.filter((version) => version === 'v2').length
    expect(canary).toBeGreaterThan(5)
    expect(canary).toBeLessThan(40)
  })
})

describe('heads', () => {
  it('are changed both ways as the route says, and not otherwise', async () => {
    const answered = await weft.ask('reviews', 'POST /a?b=c', [
      'End-User: user-0',
      'X-Env: test',
      'x-more: a',
      'X-Debug: 1',
      'X-Stays: 1',
    ])
    expect(answered.body).toBe('v1')
    const asked = weft.last('v1')
    expect(asked.start).toBe('POST /a?b=c HTTP/1.1')
    expect(values(asked, 'host')).toEqual(['reviews.internal'])
    expect(values(asked, 'x-env')).toEqual(['prod'])
    expect(values(asked, 'x-more')).toEqual(['a', 'b'])
    expect(values(asked, 'x-debug')).toEqual([])
    expect(values(asked, 'x-stays')).toEqual(['1'])
    expect(values(asked, 'x-envoy-original-path')).toEqual([])
    expect(values(answered, 'server')).toEqual([])
    expect(values(answered, 'x-internal')).toEqual([])
    expect(values(answered, 'x-served')).toEqual(['weft'])
  })
})

describe('a rewrite', () => {
  it('replaces the prefix that was matched, keeps the query and tells the path that was asked for', async () => {
    await weft.ask('stripped.shop.example', 'GET /api/a%2Fb?c=d', ['X-Envoy-Original-Path: /forged'])
    const asked = weft.last('v2')
    expect(asked.start).toBe('GET /inner/a%2Fb?c=d HTTP/1.1')
    expect(values(asked, 'host')).toEqual(['stripped.shop.example'])
    expect(values(asked, 'x-envoy-original-path')).toEqual(['/api/a%2Fb?c=d'])
  })

  it('replaces the whole path', async () => {
    await weft.ask('page', 'GET /x/y?user=a')
    expect(weft.last('v2').start).toBe('GET /index.html?user=a HTTP/1.1')
  })
})

describe('the proxy itself', () => {
  it('redirects to another host and scheme, and keeps path and query', async () => {
    const answered = await weft.ask('old.example:8080', 'GET /a/b?c=d')
    expect([answered.status, value(answered, 'location')]).toEqual([301, 'https://new.example/a/b?c=d'])
    expect(answered.body).toBe('')
  })

  it('redirects to another path at the authority that was asked', async () => {
    const answered = await weft.ask('Path.example:8080', 'POST /v1/x')
    expect([answered.status, value(answered, 'location')]).toEqual([308, 'http://Path.example:8080/v2/x'])
    expect(value(answered, 'cache-control')).toBe('max-age=60')
  })

  it('answers with a body, its type and its length, and without the body to HEAD', async () => {
    const answered = await weft.ask('any', 'GET /-/healthy')
    expect([answered.status, answered.body, value(answered, 'content-type')]).toEqual([
      200,
      'ok',
      'text/plain; charset=utf-8',
    ])
    const head = await weft.ask('any', 'HEAD /-/healthy')
    expect([head.status, value(head, 'content-length'), head.body]).toEqual([200, '2', ''])
  })

  it('answers 204 without a length, on a connection that goes on', async () => {
    const wire = await Wire.connect(weft.port)
    for (let turn = 0; turn < 3; turn += 1) {
      await wire.send('GET / HTTP/1.1\r\nHost: empty\r\n\r\n')
      const head = await wire.takeThrough('\r\n\r\n')
      expect(head).toMatch(/^HTTP\/1\.1 204 No Content\r\n/)
      expect(head.toLowerCase()).not.toContain('content-length')
      expect(head).toContain('x-why: nothing')
    }
    wire.close()
  })

  it('stands in for a cluster that nobody answers for', async () => {
    const answered = await weft.ask('ratings', 'GET /')
    expect([answered.status, answered.body]).toEqual([200, '{"degraded":true}'])
    expect(values(answered, 'content-type')).toEqual(['application/json'])
  })

  it('does not stand in for other failures than those that are named', async () => {
    expect((await weft.ask('uncovered', 'GET /')).status).toBe(503)
  })
})

describe('why', () => {
  it('replays the recorded request against the rules that it passed over', async () => {
    const id = { 'x-weft-service': 'reviews', 'end-user': 'anna' }
    await weft.ask('127.0.0.1:1', 'POST /a/./b?c=d', [
      'X-Request-Id: replayed-1',
      ...Object.entries(id).map((l) => l.join(': ')),
    ])
    const text = await weft.admin('/why/replayed-1')
    expect(text).toMatch(/✗ +testers .*method is POST, wanted GET/)
    expect(text).toMatch(/✓ +canary +host reviews/)
    const { routing } = JSON.parse(await weft.admin('/why/replayed-1?format=json'))
    expect([routing.host, routing.hostFrom, routing.path]).toEqual(['reviews', 'x-weft-service', '/a/b'])
    expect(routing.rules[routing.chosen].route).toBe('canary')
  })

  it('says that a route answered by itself, and that its fallback did', async () => {
    await weft.ask('old.example', 'GET /', ['X-Request-Id: moved-1'])
    expect(await weft.admin('/why/moved-1')).toContain('the route answered by itself')
    await weft.ask('ratings', 'GET /', ['X-Request-Id: degraded-1'])
    expect(await weft.admin('/why/degraded-1')).toContain("the route's fallback answered in place of the failure")
  })
})
