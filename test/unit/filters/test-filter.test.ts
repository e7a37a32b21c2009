/** The kit for filter authors: a filter meets one exchange, and nothing listens. */
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { defineFilter } from '../../../src/filters/definition.js'
import { testFilter } from '../../../src/testing/test-filter.js'

const tenant = defineFilter({
  name: 'tenant',
  options: z.object({ header: z.string().default('x-tenant') }),
  onRequest(request, { options }) {
    const name = request.headers.get('host')?.split('.')[0]
    if (name === 'www') return { status: 400, headers: { 'x-why': ['a', 'b'] }, body: 'no tenant in host' }
    request.headers.set(options.header, name ?? '')
  },
  onResponse(response) {
    response.headers.delete('server')
    response.headers.set('x-for', response.request.headers.get('x-tenant') ?? 'nobody')
  },
})

describe('a filter under test', () => {
  it('changes what the upstream gets and what the client gets', async () => {
    const { upstream, response, failures } = await testFilter(tenant, {
      options: {},
      request: {
        method: 'POST',
        path: '/orders?page=2',
        headers: { host: 'acme.example', 'X-Two': ['1', '2'] },
        body: 'b',
      },
      upstream: (request) => ({ status: 201, headers: { server: 'app', 'x-path': request.path }, body: ['do', 'ne'] }),
    })
    expect(upstream).toMatchObject({ method: 'POST', path: '/orders?page=2', body: 'b' })
    expect(upstream?.headers).toEqual({ host: 'acme.example', 'x-two': ['1', '2'], 'x-tenant': 'acme' })
    expect(response).toMatchObject({ status: 201, body: 'done', broken: false })
    expect(response.headers).toEqual({ 'x-path': '/orders?page=2', 'x-for': 'acme' })
    expect(failures).toEqual([])
  })

  it('answers itself, and the upstream sees nothing', async () => {
    const { upstream, response } = await testFilter(tenant, {
      options: {},
      request: { headers: { host: 'www.example' } },
    })
    expect(upstream).toBeNull()
    expect(response).toMatchObject({ status: 400, headers: { 'x-why': ['a', 'b'] }, body: 'no tenant in host' })
  })

  it('is refused for options that its schema refuses', async () => {
    await expect(testFilter(tenant, { options: { header: 1 } })).rejects.toThrow(/header/)
  })

  it('chooses route, cluster and path', async () => {
    const filter = defineFilter({
      name: 'canary',
      onRequest(request) {
        request.path = '/v2/a'
        request.useRoute('canary')
        request.useCluster('app-v2')
      },
    })
    const { upstream, route, cluster } = await testFilter(filter, { request: { path: '/a?b' } })
    expect([upstream?.path, route, cluster]).toEqual(['/v2/a?b', 'canary', 'app-v2'])
  })

  it('keeps a state from phase to phase, and may be asynchronous where it runs in a pool', async () => {
    const filter = defineFilter({
      name: 'slow',
      state: () => ({ began: 0 }),
      async onRequest(_request, { state, log }) {
        await Promise.resolve()
        state.began = 7
        log.info('began')
      },
      onResponse(response, { state }) {
        response.headers.set('x-began', String(state.began))
      },
    })
    const { response, log } = await testFilter(filter, { runIn: 'pool' })
    expect(response.headers).toEqual({ 'x-began': '7' })
    expect(log).toEqual([{ level: 'info', message: 'began' }])
    const { failures } = await testFilter(filter)
    expect(failures[0]).toMatchObject({ phase: 'onRequest', message: expect.stringContaining('runIn: pool') })
  })
})

describe('a filter that misbehaves under test', () => {
  const misdeeds = {
    throws: () => {
      throw new Error('on purpose')
    },
    'answers nonsense': () => 42 as never,
    'answers with a header that is not one': () => ({ status: 200, headers: { 'a b': 'c' } }),
    'takes the length into its hands': (request: { headers: { set(name: string, value: string): void } }) =>
      request.headers.set('content-length', '1'),
  }
  const cases = Object.entries(misdeeds)

  it.each(cases)('is a 500 when it is closed: %s', async (_name, onRequest) => {
    const run = await testFilter(defineFilter({ name: 'bad', onRequest }))
    expect(run).toMatchObject({ upstream: null, response: { status: 500 }, failures: [{ phase: 'onRequest' }] })
  })

  it.each(cases)('is passed over when it is open: %s', async (_name, onRequest) => {
    const onResponse = () => ({ status: 418 })
    const run = await testFilter(defineFilter({ name: 'bad', onRequest, onResponse }), { onFailure: 'open' })
    expect(run).toMatchObject({ upstream: { path: '/' }, response: { status: 200 } })
    expect(run.failures).toHaveLength(1)
  })
})

describe('bodies of a filter under test', () => {
  it('come whole with a head that can be changed, in both directions', async () => {
    const filter = defineFilter({
      name: 'shout',
      onRequestBody(body) {
        body.request.headers.set('x-length', String(body.data.length))
        body.request.useCluster('loud')
        return body.text().toUpperCase()
      },
      onResponseBody(body) {
        if (body.text() === 'gone') return { status: 410, body: 'no more' }
        body.response.headers.set('x-path', body.response.request.path)
        return `${body.text()}!`
      },
    })
    const upstream = () => ({ headers: { 'content-length': '2' }, body: ['o', 'k'] })
    const run = await testFilter(filter, { request: { path: '/a', body: ['he', 'llo'] }, upstream })
    expect(run.upstream).toMatchObject({ body: 'HELLO', headers: { 'x-length': '5' } })
    expect([run.cluster, run.response.body]).toEqual(['loud', 'ok!'])
    expect(run.response.headers).toEqual({ 'content-length': '3', 'x-path': '/a' })
    const gone = await testFilter(filter, { upstream: () => ({ body: 'gone' }) })
    expect(gone.response).toMatchObject({ status: 410, body: 'no more', broken: false })
  })

  it('come part by part to one that streams, which may replace bytes and nothing else', async () => {
    const seen: [string, boolean][] = []
    const filter = defineFilter({
      name: 'dots',
      responseBody: 'stream',
      onResponseBody(body) {
        seen.push([body.text(), body.last])
        if (body.text() === 'bad') throw new Error('cannot read this')
        return `${body.text()}.`
      },
    })
    const upstream = (...body: string[]) => ({ upstream: () => ({ body }) })
    const { response } = await testFilter(filter, upstream('a', 'b'))
    expect(response.chunks.map(String)).toEqual(['a.', 'b.'])
    expect(seen).toEqual([
      ['a', false],
      ['b', true],
    ])
    const closed = await testFilter(filter, upstream('a', 'bad', 'b'))
    expect(closed.response.broken).toBe(true)
    expect(closed.failures).toEqual([{ phase: 'onResponseBody', message: 'Error: cannot read this' }])
    const open = await testFilter(filter, { ...upstream('a', 'bad', 'b'), onFailure: 'open' })
    expect(open.response.body).toBe('a.badb')
  })

  it('that are longer than maxBodyBytes are a 413 on the way up, and the policy’s on the way down', async () => {
    const filter = defineFilter({ name: 'small', maxBodyBytes: 3, onRequestBody() {}, onResponseBody() {} })
    expect((await testFilter(filter, { request: { body: 'long' } })).response.status).toBe(413)
    const upstream = () => ({ body: 'long' })
    expect((await testFilter(filter, { upstream })).response.status).toBe(500)
    expect((await testFilter(filter, { upstream, onFailure: 'open' })).response.body).toBe('long')
    expect((await testFilter(filter, { upstream, maxBodyBytes: 4 })).failures).toEqual([])
  })
})
