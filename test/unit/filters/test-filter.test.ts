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

describe('bodies under test', () => {
  it('arrive whole, with a head that can still be changed', async () => {
    const redact = defineFilter({
      name: 'redact',
      onRequestBody(body, { log }) {
        log.info(`${body.text()} ${body.last}`)
        body.request.headers.set('x-bytes', String(body.data.length))
        body.request.useCluster('large')
        body.data.fill(0)
      },
      onResponseBody(body) {
        body.response.headers.set('x-of', body.response.request.path)
        return body.text().replace(/\d{4}/g, '****')
      },
    })
    const { upstream, response, cluster, log, failures } = await testFilter(redact, {
      request: { method: 'POST', path: '/cards', body: ['on', 'e'] },
      upstream: () => ({ headers: { 'content-length': '13' }, body: ['card 12', '34 is 5'] }),
    })
    expect(log).toEqual([{ level: 'info', message: 'one true' }])
    expect(upstream).toMatchObject({ body: 'one', headers: { 'x-bytes': '3' } })
    expect(cluster).toBe('large')
    expect(response).toMatchObject({ body: 'card **** is 5', headers: { 'x-of': '/cards', 'content-length': '14' } })
    expect(failures).toEqual([])
  })

  it('stream chunk by chunk, and lose their announced length', async () => {
    const count = defineFilter({
      name: 'count',
      state: () => ({ parts: 0 }),
      responseBody: 'stream',
      onResponseBody(body, { state }) {
        state.parts += 1
        if (body.text() === 'drop') return ''
        return body.last ? `${body.text()} ${state.parts} ${body.response.status}` : undefined
      },
    })
    const { response } = await testFilter(count, {
      upstream: () => ({ status: 206, headers: { 'content-length': '9' }, body: ['a ', 'drop', 'end'] }),
    })
    expect(response).toMatchObject({ status: 206, body: 'a end 3 206', headers: {} })
    expect(response.chunks).toHaveLength(2)
  })

  it('can be answered while they are whole, and too long ones are refused', async () => {
    const filter = defineFilter({
      name: 'answers',
      onRequestBody: ({ data }) => (data.length > 3 ? { status: 422, body: 'no' } : undefined),
    })
    const posted = (body: string) => testFilter(filter, { maxBodyBytes: 5, request: { method: 'POST', body } })
    expect(await posted('four')).toMatchObject({ upstream: null, response: { status: 422, body: 'no' } })
    expect(await posted('longer')).toMatchObject({ upstream: null, response: { status: 413 } })
    expect(await posted('one')).toMatchObject({ upstream: { body: 'one' }, response: { status: 200 } })
  })

  it('are not there where an answer has none', async () => {
    const filter = defineFilter({ name: 'adds', onResponseBody: () => 'more' })
    const upstream = () => ({ body: 'a body' })
    expect((await testFilter(filter, { upstream })).response.body).toBe('more')
    expect((await testFilter(filter, { upstream, request: { method: 'HEAD' } })).response.body).toBe('')
  })

  it('break off when a filter fails amid a stream, or pass unseen when it is open', async () => {
    const filter = defineFilter({
      name: 'fails',
      responseBody: 'stream',
      onResponseBody(body) {
        if (body.text() === 'b') throw new Error('on purpose')
        return body.text().toUpperCase()
      },
    })
    const upstream = () => ({ body: ['a', 'b', 'c'] })
    const closed = await testFilter(filter, { upstream })
    expect(closed).toMatchObject({ response: { broken: true }, failures: [{ phase: 'onResponseBody' }] })
    const open = await testFilter(filter, { upstream, onFailure: 'open' })
    expect(open).toMatchObject({ response: { broken: false, body: 'Abc' } })
    expect(open.failures).toHaveLength(1)
  })
})
