/** How connections end: answers before the request is whole, half-closes, resets, and clients that give up. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request, value } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

let upstream: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  const cluster = { keepAlive: { idleTimeout: 0 } }
  weft = await startWeft({
    edge: { upstream: upstream.port, cluster },
    strict: { upstream: upstream.port, cluster, listener: { abortOnClose: true } },
  })
})

afterEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

async function exchange(text: string, door = 'edge'): Promise<[Wire, Wire]> {
  const client = await Wire.connect(weft.port(door))
  await client.send(text)
  return [client, await upstream.next()]
}

test('a client that still uploads gets the whole of an early answer and no reset', async () => {
  const [client, wire] = await exchange(request('POST /early', ['Content-Length: 1000000']))
  await readHead(wire)
  const body = 'x'.repeat(200_000)
  await wire.send(answer(body))
  await client.send('a part of the upload')
  const got = await readAnswer(client)
  expect([got.status, got.body.length, value(got, 'connection')]).toEqual([200, 200_000, 'close'])
  await client.send('u'.repeat(40_000))
  expect(await client.ended()).toBe('fin')
  client.finish()
  await wire.ended()
})

test('a client that still uploads gets a refusal and no reset', async () => {
  const client = await Wire.connect(weft.port('edge'))
  await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n')
  await client.send('u'.repeat(40_000))
  const got = await readAnswer(client)
  expect([got.status, value(got, 'connection')]).toEqual([400, 'close'])
  await client.send('u'.repeat(10_000))
  expect(await client.ended()).toBe('fin')
  client.close()
})

test('a lingering close does not linger for ever', async () => {
  const client = await Wire.connect(weft.port('edge'))
  await client.send('GET / HTTP/1.1\r\n\r\n')
  expect((await readAnswer(client)).status).toBe(400)
  expect(await client.ended()).toBe('fin')
  // The proxy gives the socket up without hearing from the client; a write then meets a reset.
  const reset = new Promise<void>((resolve) => client.socket.once('error', () => resolve()))
  const knock = () => client.socket.write('x', (error) => error == null && setImmediate(knock))
  knock()
  await reset
})

test('a client that half-closes behind its request gets its answer', async () => {
  const [client, wire] = await exchange(request('POST /half', [], 'hello'))
  client.finish()
  expect((await readRequest(wire)).body).toBe('hello')
  await wire.send(answer('all of it'))
  expect((await readAnswer(client)).body).toBe('all of it')
  expect(await client.ended()).toBe('fin')
})

test('a client that half-closes amid its request gives it up', async () => {
  const [client, wire] = await exchange(request('POST /amid', ['Content-Length: 10']))
  await readHead(wire)
  await client.send('half')
  client.finish()
  expect(await wire.takeRest()).toBe('half')
  expect(await client.takeRest()).toBe('')
  const line = await weft.logLine(({ path }) => path === '/amid')
  expect(line).toMatchObject({ response_flags: 'DC', response_code: 0, bytes_received: 4 })
})

test('a client that resets before the answer aborts the upstream', async () => {
  const [client, wire] = await exchange(request('GET /reset'))
  await readRequest(wire)
  client.reset()
  await wire.ended()
  expect(await weft.logLine(({ path }) => path === '/reset')).toMatchObject({ response_flags: 'DC' })
})

test('a client that resets amid the answer aborts the upstream', async () => {
  const [client, wire] = await exchange(request('GET /reset-amid'))
  await readRequest(wire)
  await wire.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  await client.takeThrough('half')
  client.reset()
  await wire.ended()
  const line = await weft.logLine(({ path }) => path === '/reset-amid')
  expect(line).toMatchObject({ response_flags: 'DC', response_code: 200, bytes_sent: 4 })
})

test('a client that resets amid its upload aborts the upstream', async () => {
  const [client, wire] = await exchange(`${request('POST /reset-up', ['Transfer-Encoding: chunked'])}5\r\nhello\r\n`)
  await readHead(wire)
  await wire.takeThrough('hello\r\n')
  client.reset()
  expect(await wire.takeRest()).toBe('')
})

test('with abortOnClose a half-close before the answer aborts the upstream', async () => {
  const [client, wire] = await exchange(request('GET /strict'), 'strict')
  await readRequest(wire)
  client.finish()
  await wire.ended()
  expect(await client.takeRest()).toBe('')
  expect(await weft.logLine(({ path }) => path === '/strict')).toMatchObject({ response_flags: 'DC' })
})

test('with abortOnClose a client that ends behind its pipeline aborts what is under way', async () => {
  const [client, wire] = await exchange(request('GET /piped-1') + request('GET /piped-2'), 'strict')
  await readRequest(wire)
  client.finish()
  await wire.ended()
  expect(await client.takeRest()).toBe('')
  expect(await weft.logLine(({ path }) => path === '/piped-1')).toMatchObject({ response_flags: 'DC' })
})

test('with abortOnClose a client that stays and pipelines is served', async () => {
  const [client, wire] = await exchange(request('GET /1') + request('GET /2'), 'strict')
  await readRequest(wire)
  await wire.send(answer('one'))
  expect((await readAnswer(client)).body).toBe('one')
  const next = await upstream.next()
  await readRequest(next)
  await next.send(answer('two'))
  expect((await readAnswer(client)).body).toBe('two')
  client.close()
})
