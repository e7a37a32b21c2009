/**
 * The order of filters, as endpoint and client see it: listener → route → cluster on the way down, the reverse on the
 * way up, each once, and only those that ran.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { answer, readAnswer, readRequest, request, value, values } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { type Door, startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

let upstream: ScriptedUpstream
let weft: Weft

/** Says that it ran, behind what ran before it. */
const mark = (name: string) => {
  const note = (head: string) => ({ set: { 'x-seen': `%${head}(x-seen)%${name}>` } })
  return { type: 'header-rewrite', request: note('REQ'), response: note('RESP') }
}
const refuse = { type: 'local-rate-limit', buckets: [{ name: 'none', tokens: 1, refill: 1, every: '5h' }] }

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  const door = (listener: object[], route: object[], cluster: object[]): Door => ({
    upstream: upstream.port,
    listener: { filters: listener },
    route: { filters: route },
    cluster: { filters: cluster },
  })
  weft = await startWeft({
    all: door([mark('l1'), mark('l2')], [mark('r1'), mark('r2')], [mark('c1'), mark('c2')]),
    refused: door([mark('l1')], [mark('r1'), refuse, mark('r2')], [mark('c1')]),
    redirect: {
      upstream: upstream.port,
      listener: { filters: [mark('l1')] },
      route: { forward: undefined, redirect: { host: 'b.example' }, filters: [mark('r1')] },
    },
    retried: {
      upstream: upstream.port,
      listener: { filters: [mark('l1')] },
      route: { retry: { retries: 1, on: ['retriable-status-codes'], statusCodes: [503] }, filters: [mark('r1')] },
      cluster: { filters: [mark('c1')] },
    },
  })
})

beforeEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

test('a request meets listener, route and cluster in this order, its answer in the reverse', async () => {
  const client = await Wire.connect(weft.port('all'))
  await client.send(request('GET /'))
  const endpoint = await upstream.next()
  expect(value(await readRequest(endpoint), 'x-seen')).toBe('l1>l2>r1>r2>c1>c2>')
  await endpoint.send(answer('ok', 'X-Seen: endpoint>'))
  expect(value(await readAnswer(client), 'x-seen')).toBe('endpoint>c2>c1>r2>r1>l2>l1>')
})

test('a reply of the proxy itself meets the filters that ran before it, and no other', async () => {
  const client = await Wire.connect(weft.port('refused'))
  await client.send(request('GET /'))
  const endpoint = await upstream.next()
  expect(value(await readRequest(endpoint), 'x-seen')).toBe('l1>r1>r2>c1>')
  await endpoint.send(answer())
  expect((await readAnswer(client)).status).toBe(200)

  await client.send(request('GET /'))
  const refused = await readAnswer(client)
  expect([refused.status, value(refused, 'x-seen')]).toEqual([429, 'r1>l1>'])
  expect(values(refused, 'content-length')).toHaveLength(1)
})

test('a request that fails at the endpoint meets every filter on its way back', async () => {
  const client = await Wire.connect(weft.port('all'))
  await client.send(request('GET /'))
  const endpoint = await upstream.next()
  await readRequest(endpoint)
  endpoint.close()
  const failed = await readAnswer(client)
  expect([failed.status, value(failed, 'x-seen')]).toEqual([503, 'c2>c1>r2>r1>l2>l1>'])
})

test('a request that is sent again meets the filters once', async () => {
  const client = await Wire.connect(weft.port('all'))
  await client.send(request('GET /one'))
  const first = await upstream.next()
  await readRequest(first)
  await first.send(answer())
  await readAnswer(client)
  // The pooled connection takes the second request and closes without a byte: it is sent again on a new one.
  await client.send(request('GET /two'))
  await readRequest(first)
  first.close()
  const second = await upstream.next()
  expect(value(await readRequest(second), 'x-seen')).toBe('l1>l2>r1>r2>c1>c2>')
  await second.send(answer('ok', 'X-Seen: second>'))
  expect(value(await readAnswer(client), 'x-seen')).toBe('second>c2>c1>r2>r1>l2>l1>')
})

test('a redirect meets the filters of listener and route', async () => {
  const client = await Wire.connect(weft.port('redirect'))
  await client.send(request('GET /'))
  const redirected = await readAnswer(client)
  expect([redirected.status, value(redirected, 'x-seen')]).toEqual([302, 'r1>l1>'])
  expect(value(redirected, 'location')).toMatch(/^http:\/\/b\.example/)
})

test('a request that is retried meets the filters once, and so does the answer that stands', async () => {
  const client = await Wire.connect(weft.port('retried'))
  await client.send(request('GET /'))
  const first = await upstream.next()
  expect(value(await readRequest(first), 'x-seen')).toBe('l1>r1>c1>')
  await first.send('HTTP/1.1 503 Busy\r\nX-Seen: first>\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  const second = await upstream.next()
  expect(value(await readRequest(second), 'x-seen')).toBe('l1>r1>c1>')
  await second.send(answer('ok', 'X-Seen: second>'))
  const got = await readAnswer(client)
  expect([got.status, value(got, 'x-seen')]).toEqual([200, 'second>c1>r1>l1>'])
})

test('an upgrade passes the filters both ways', async () => {
  const client = await Wire.connect(weft.port('all'))
  await client.send(request('GET /chat', ['Connection: upgrade', 'Upgrade: echo']))
  const endpoint = await upstream.next()
  expect(value(await readRequest(endpoint), 'x-seen')).toBe('l1>l2>r1>r2>c1>c2>')
  await endpoint.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
  const switched = await readAnswer(client)
  expect([switched.status, value(switched, 'x-seen')]).toEqual([101, 'c2>c1>r2>r1>l2>l1>'])
})
