/**
 * Filters in TypeScript, in place, on the loop of the process that serves: what they see, what they change, and what
 * becomes of a request when one of them goes wrong.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defineFilter } from '../../../src/filters/definition.js'
import { type RunningProxy, startProxy } from '../../../src/proxy/start-proxy.js'
import { ask, CountedService, closeServices } from '../../kit/counted-service.js'
import { MemoryLogger } from '../../kit/fake-engine.js'

type Filter = Parameters<typeof defineFilter>[0]

let first: CountedService
let second: CountedService
let proxy: RunningProxy
const logger = new MemoryLogger()
let served: (Filter | object)[] = []

beforeAll(async () => {
  first = await CountedService.start('first')
  second = await CountedService.start('second')
})

beforeEach(() => {
  logger.lines.length = 0
})

afterAll(async () => {
  await proxy?.close()
  await closeServices()
})

interface Places {
  listener?: object[]
  route?: object[]
  cluster?: object[]
}

/** The same proxy with other filters, as a program would change them. */
async function serve({ listener = [], route = [], cluster = [] }: Places): Promise<number> {
  const config = {
    listeners: [{ name: 'edge', address: '127.0.0.1:0', filters: listener, limits: { maxConnections: 50 } }],
    routes: [
      { name: 'main', hosts: ['main.example'], forward: [{ cluster: 'first' }], filters: route },
      { name: 'other', hosts: ['other.example'], forward: [{ cluster: 'second' }] },
      { name: 'fixed', hosts: ['fixed.example'], respond: { status: 200, body: 'fixed' }, filters: route },
      {
        name: 'retried',
        hosts: ['retried.example'],
        forward: [{ cluster: 'first' }],
        retry: {
          retries: 2,
          on: ['retriable-status-codes' as const],
          statusCodes: [503],
          backoff: { base: '1ms', max: '1ms' },
        },
      },
    ],
    clusters: [
      { name: 'first', endpoints: [`127.0.0.1:${first.port}`], filters: cluster },
      { name: 'second', endpoints: [`127.0.0.1:${second.port}`] },
    ],
  }
  served = [listener, route, cluster]
  if (proxy === undefined) proxy = await startProxy(config as never, { workers: 0, logger })
  else await proxy.apply(config as never)
  return proxy.address('edge').port
}

const filter = (name: string, phases: Omit<Filter, 'name'>) => defineFilter({ name, ...phases } as Filter)

/** What the record of the newest exchange says of the filters. */
const told = () => {
  const [newest] = proxy.records({ limit: 1 } as never).records
  return (newest as unknown as { detail: string }).detail
}

describe('a filter sees', () => {
  it('the request as it came: method, path, query, client, scheme, and headers by any case', async () => {
    let seen: unknown
    const port = await serve({
      listener: [
        filter('look', {
          onRequest({ method, path, query, client, scheme, headers }) {
            seen = { method, path, query, client, scheme, host: headers.get('Host'), tag: headers.get('X-TAG') }
            expect(headers.get('x-none')).toBeNull()
            expect([headers.has('x-tag'), headers.has('x-none')]).toEqual([true, false])
            expect(headers.getAll('x-tag')).toEqual(['a'])
          },
        }),
      ],
    })
    const answer = await ask(port, 'main.example', '/a/../b?c=d', { headers: { 'X-Tag': 'a' } })
    expect([answer.status, answer.body]).toEqual([200, 'first'])
    expect(seen).toEqual({
      ...{ method: 'GET', path: '/b', query: 'c=d', client: '127.0.0.1', scheme: 'http' },
      ...{ host: 'main.example', tag: 'a' },
    })
  })

  it('the answer with its request, also when it looks at answers only', async () => {
    const seen: unknown[] = []
    const look = (name: string, more: object) =>
      filter(name, {
        ...more,
        onResponse(response) {
          const { status, request, headers } = response
          seen.push([name, status, request.path, request.headers.get('x-a'), headers.get('content-length')])
        },
      })
    const port = await serve({
      listener: [
        look('both', { onRequest: (request: { headers: Headers }) => request.headers.set('x-a', 'changed') }),
        look('answers-only', {}),
      ],
    })
    await ask(port, 'main.example', '/p', { headers: { 'x-a': 'sent' } })
    // Heads of requests carry what filters before made of them.
    expect(seen).toEqual([
      ['answers-only', 200, '/p', 'changed', '5'],
      ['both', 200, '/p', 'changed', '5'],
    ])
  })

  it('its own state from the request to the answer, and nobody else’s', async () => {
    let made = 0
    const port = await serve({
      listener: [
        filter('state', {
          state: () => {
            made += 1
            return { number: made }
          },
          onResponse: ({ headers }, { state }) => headers.set('x-number', String((state as { number: number }).number)),
        }),
      ],
    })
    const numbers = await Promise.all(
      Array.from({ length: 20 }, async () => Number((await ask(port, 'main.example')).headers['x-number'])),
    )
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })
})

describe('a filter changes', () => {
  it('header lines of the request and of the answer', async () => {
    const port = await serve({
      listener: [
        filter('edit', {
          onRequest({ headers }) {
            headers.set('x-set', 'one')
            headers.append('x-more', 'b')
            headers.append('x-more', 'c')
            headers.delete('x-gone')
            expect(headers.get('x-more')).toBe('a, b, c')
            expect(Object.fromEntries(headers)).toMatchObject({ 'x-set': 'one', host: 'main.example' })
          },
          onResponse(response) {
            response.headers.set('x-answer', `${response.status}`)
            response.headers.delete('content-type')
            response.status = 201
          },
        }),
      ],
    })
    const answer = await ask(port, 'main.example', '/', { headers: { 'X-Set': 'zero', 'x-more': 'a', 'X-Gone': '1' } })
    expect([answer.status, answer.headers['x-answer'], answer.body]).toEqual([201, '200', 'first'])
    const headers = first.last?.headers
    expect([headers?.['x-set'], headers?.['x-more'], headers?.['x-gone']]).toEqual(['one', 'a, b, c', undefined])
  })

  it('path and query, before routes match on them', async () => {
    const port = await serve({
      listener: [
        filter('target', {
          onRequest(request) {
            request.path = '/new/./path'
            request.query = 'x=1'
          },
        }),
      ],
    })
    await ask(port, 'main.example', '/old?y')
    expect(first.last?.path).toBe('/new/path?x=1')
  })

  it('the route, by its name', async () => {
    const port = await serve({ listener: [filter('route', { onRequest: (request) => request.useRoute('other') })] })
    expect((await ask(port, 'main.example')).body).toBe('second')
    expect((await ask(port, 'nowhere.example')).body).toBe('second')
    expect(told()).toBe('the filter `route` chose the route `other`')
  })

  it('the cluster, by its name, from a listener and from a route', async () => {
    const choose = filter('cluster', { onRequest: (request) => request.useCluster('second') })
    expect((await ask(await serve({ listener: [choose] }), 'main.example')).body).toBe('second')
    expect((await ask(await serve({ route: [choose] }), 'main.example')).body).toBe('second')
  })

  it('nothing after its phase is over', async () => {
    let late: (() => void) | null = null
    const port = await serve({
      listener: [
        filter('late', {
          onRequest({ headers }) {
            late = () => headers.set('x', 'y')
          },
        }),
      ],
    })
    expect((await ask(port, 'main.example')).status).toBe(200)
    expect(late).toThrow('it is too late to change the request')
  })
})

describe('a filter answers', () => {
  it('in place of the upstream, seen by the filters before it, and told by the record', async () => {
    const before = first.requests
    const port = await serve({
      listener: [
        filter('outer', { onResponse: ({ headers }) => headers.set('x-outer', 'yes') }),
        filter('gate', {
          onRequest: () => ({
            status: 403,
            headers: { 'x-why': 'no', 'set-cookie': ['a=1', 'b=2'], 'content-type': 'application/json' },
            body: '{"é":1}',
          }),
          onResponse: ({ headers }) => headers.set('x-own', 'never'),
        }),
        filter('inner', { onResponse: ({ headers }) => headers.set('x-inner', 'never') }),
      ],
    })
    const { status, body, headers } = await ask(port, 'main.example')
    expect([status, body, first.requests]).toEqual([403, '{"é":1}', before])
    expect(headers).toMatchObject({ 'x-why': 'no', 'x-outer': 'yes', 'content-length': '8' })
    expect([headers['set-cookie'], headers['content-type']]).toEqual([['a=1', 'b=2'], 'application/json'])
    expect([headers['x-own'], headers['x-inner']]).toEqual([undefined, undefined])
    expect(told()).toBe('the filter `gate` answered')
    expect(proxy.stats().filters.find(({ name }) => name === 'gate')).toMatchObject({ answers: 1, failures: 0 })
  })

  it('in place of the answer that came', async () => {
    const port = await serve({
      listener: [
        filter('outer', { onResponse: (response) => response.headers.set('x-saw', `${response.status}`) }),
        filter('swap', { onResponse: ({ status }) => ({ status: 410, body: `was ${status}` }) }),
      ],
    })
    const { status, body, headers } = await ask(port, 'main.example')
    expect([status, body, headers['x-saw']]).toEqual([410, 'was 200', '410'])
    expect((await ask(port, 'fixed.example')).body).toBe('was 200')
  })

  it('to HEAD without a body, and to 204 without a length', async () => {
    const port = await serve({
      listener: [
        filter('gate', {
          onRequest: ({ path }) => (path === '/none' ? { status: 204 } : { status: 200, body: 'text' }),
        }),
      ],
    })
    const head = await ask(port, 'main.example', '/', { method: 'HEAD' })
    expect([head.status, head.body, head.headers['content-length']]).toEqual([200, '', '4'])
    const none = await ask(port, 'main.example', '/none')
    expect([none.status, none.headers['content-length']]).toEqual([204, undefined])
  })
})

describe('filters run', () => {
  it('on listener, route and cluster in this order, on answers in reverse, those of a cluster once over all retries', async () => {
    const order: string[] = []
    const note = (name: string) =>
      filter(name, { onRequest: () => void order.push(name), onResponse: () => void order.push(`${name}'`) })
    const port = await serve({ listener: [note('l')], route: [note('r')], cluster: [note('c')] })
    await ask(port, 'main.example')
    expect(order.splice(0)).toEqual(['l', 'r', 'c', "c'", "r'", "l'"])
    const before = first.requests
    first.answer = (_, response) => response.writeHead(503).end()
    const answer = await ask(port, 'retried.example')
    first.answer = (_, response) => response.end('first')
    expect([answer.status, first.requests - before]).toEqual([503, 3])
    expect(order).toEqual(['l', 'c', "c'", "l'"])
  })
})

const nonsense: [string, Omit<Filter, 'name'>, RegExp][] = [
  [
    'throws',
    {
      onRequest: () => {
        throw new Error('a fault')
      },
    },
    /Error: a fault$/,
  ],
  [
    'throws something else',
    {
      onRequest: () => {
        throw 'text'
      },
    },
    /it threw text$/,
  ],
  ['waits in place', { onRequest: async () => {} }, /it returned a promise; a filter that waits runs in a pool/],
  ['rejects in place', { onRequest: () => Promise.reject(new Error('late')) }, /it returned a promise/],
  [
    'returns no answer',
    { onRequest: () => new Map() as never },
    /an object, which is no answer|with the status undefined/,
  ],
  ['returns a number', { onRequest: () => 7 as never }, /it returned 7, which is no answer/],
  ['answers without a status', { onRequest: () => ({ body: 'x' }) as never }, /with the status undefined/],
  ['answers with a status of none', { onRequest: () => ({ status: 101 }) }, /with the status 101/],
  ['answers 204 with a body', { onRequest: () => ({ status: 204, body: 'x' }) }, /an answer 204 has no body/],
  [
    'answers with a length of its own',
    { onRequest: () => ({ status: 200, headers: { 'content-length': '1' } }) },
    /framing/,
  ],
  [
    'answers with a body of no kind',
    { onRequest: () => ({ status: 200, body: 7 as never }) },
    /must be text or a Uint8Array/,
  ],
  ['sets a framing header', { onRequest: ({ headers }) => headers.set('transfer-encoding', 'chunked') }, /framing/],
  ['sets the host', { onRequest: ({ headers }) => headers.set('host', 'b') }, /changed by a rewrite/],
  ['splits a line', { onRequest: ({ headers }) => headers.set('x-a', 'b\r\nx-evil: 1') }, /x-a cannot hold U\+000D/],
  [
    'hides a line break',
    { onRequest: ({ headers }) => headers.set('x-a', 'b\u010ax-evil: 1') },
    /x-a cannot hold U\+010A; encode/,
  ],
  ['names no header', { onRequest: ({ headers }) => headers.set('x a', 'b') }, /"x a" is not a header name/],
  [
    'chooses a route that is not there',
    { onRequest: (request) => request.useRoute('none') },
    /there is no route `none`/,
  ],
  [
    'chooses a cluster that is not there',
    { onRequest: (request) => request.useCluster('none') },
    /there is no cluster `none`/,
  ],
  [
    'climbs out of the root',
    {
      onRequest: (request) => {
        request.path = '/../..'
      },
    },
    /climbs above its root/,
  ],
  [
    'has a state that throws',
    {
      state: () => {
        throw new Error('no state')
      },
      onRequest() {},
    },
    /no state$/,
  ],
  [
    'throws at the answer',
    {
      onResponse: () => {
        throw new Error('too bad')
      },
    },
    /Error: too bad$/,
  ],
  [
    'makes an answer lose its body',
    {
      onResponse: (response) => {
        response.status = 204
      },
    },
    /cannot become 204/,
  ],
  ['waits at the answer', { onResponse: async () => {} }, /it returned a promise/],
]

describe('a filter that', () => {
  for (const [what, phases, reason] of nonsense) {
    it(`${what} ends the request with a 500 that names it`, async () => {
      const edits =
        phases.onRequest === undefined
          ? {}
          : {
              onResponse: () => {
                throw new Error('never called')
              },
            }
      const port = await serve({ listener: [filter('faulty', { ...edits, ...phases })] })
      const failures = () => proxy.stats().filters.find(({ name }) => name === 'faulty')?.failures ?? 0
      const before = failures()
      const { status, body, headers } = await ask(port, 'main.example')
      expect(status).toBe(500)
      expect(body).toBe("the filter `faulty` failed: `weft why` and the proxy's log say how it failed\n")
      expect(headers['proxy-status']).toMatch(
        /^weft; error=proxy_internal_error; (received-status=200; )?details="the filter `faulty` failed"$/,
      )
      expect(told()).toMatch(/^the filter `faulty` failed: /)
      expect(told()).toMatch(reason)
      expect(failures() - before).toBe(1)
      expect((await ask(port, 'main.example')).status).toBe(500)
    })
  }

  it('fails is told in the log, once in ten seconds', async () => {
    const port = await serve({
      listener: [
        filter('noisy', {
          onRequest: () => {
            throw new Error('again')
          },
        }),
      ],
    })
    for (let i = 0; i < 5; i += 1) await ask(port, 'main.example')
    const lines = logger.lines.filter(({ fields }) => fields.filter === 'noisy')
    expect(lines).toMatchObject([{ level: 'error', message: 'it failed: Error: again' }])
  })

  it('logs has its lines in the proxy’s log under its name', async () => {
    const port = await serve({ listener: [filter('chatty', { onRequest: (_, { log }) => log.warn('seen') })] })
    await ask(port, 'main.example')
    expect(logger.lines).toContainEqual({ level: 'warn', message: 'seen', fields: { filter: 'chatty' } })
  })

  it('chooses too late has failed, on a route and on a cluster', async () => {
    const late = filter('late', { onRequest: (request) => request.useRoute('other') })
    expect((await ask(await serve({ route: [late] }), 'main.example')).status).toBe(500)
    expect(told()).toContain("only a listener's filter can choose the route")
    const later = filter('later', { onRequest: (request) => request.useCluster('second') })
    expect((await ask(await serve({ cluster: [later] }), 'main.example')).status).toBe(500)
    expect(served).toHaveLength(3)
  })

  it('leaves a promise behind has it settled without another event', async () => {
    let settled: () => void = () => {}
    const done = new Promise<void>((resolve) => {
      settled = resolve
    })
    const port = await serve({
      listener: [filter('later', { onRequest: () => void Promise.resolve().then(() => settled()) })],
    })
    await ask(port, 'main.example')
    await done
  })

  it('stands in two proxies of one loop belongs to each of them alone', async () => {
    const logs = [new MemoryLogger(), new MemoryLogger()]
    const chatty = filter('twice', { onRequest: (_, { log }) => log.info('here') })
    const start = (own: MemoryLogger) => {
      const listeners = [{ name: 'edge', address: '127.0.0.1:0', filters: [chatty], limits: { maxConnections: 50 } }]
      const routes = [{ name: 'all', respond: { status: 200, body: 'ok' } }]
      return startProxy({ listeners, routes } as never, { workers: 0, logger: own })
    }
    const [one, two] = await Promise.all(logs.map(start))
    const written = () => logs.map(({ lines }) => lines.filter(({ message }) => message === 'here').length)
    await ask(one?.address('edge').port ?? 0, 'a.example')
    await ask(two?.address('edge').port ?? 0, 'a.example')
    await ask(two?.address('edge').port ?? 0, 'a.example')
    expect(written()).toEqual([1, 2])
    await one?.close()
    expect((await ask(two?.address('edge').port ?? 0, 'a.example')).status).toBe(200)
    await two?.close()
    expect(written()).toEqual([1, 3])
  })
})
