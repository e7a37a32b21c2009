/** The limits of a listener: refused politely at the bound, served just below it, and recovered behind it. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { readAnswer, request, value } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

let upstream: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  upstream.answerAll()
  const door = (limits: Record<string, number>) => ({ upstream: upstream.port, listener: { limits } })
  weft = await startWeft({
    bytes: door({ maxHeaderBytes: 1024 }),
    lines: door({ maxHeaders: 3 }),
    thrice: door({ maxRequestsPerConnection: 3 }),
    two: door({ maxConnections: 2 }),
  })
})

afterEach(() => {
  upstream.seen = []
})

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

/** A request whose head has exactly `bytes`. */
function ofBytes(bytes: number): string {
  const rest = request('GET /', ['X: ']).length
  return request('GET /', [`X: ${'a'.repeat(bytes - rest)}`])
}

test.each([
  ['bytes', ofBytes(1024), ofBytes(1025)],
  ['lines', request('GET /', ['A: 1', 'B: 2']), request('GET /', ['A: 1', 'B: 2', 'C: 3'])],
])('a head is 431 beyond the limit of its %s and served at it', async (door, at, beyond) => {
  const client = await Wire.connect(weft.port(door))
  await client.send(at)
  expect((await readAnswer(client)).status).toBe(200)
  await client.sendSingly(at)
  expect((await readAnswer(client)).status).toBe(200)
  await client.send(beyond)
  const refused = await readAnswer(client)
  expect([refused.status, value(refused, 'connection')]).toEqual([431, 'close'])
  expect(await client.takeRest()).toBe('')
  expect(upstream.seen).toHaveLength(2)
})

test('trailers of a request are bound by the same bytes', async () => {
  const client = await Wire.connect(weft.port('bytes'))
  const body = `0\r\nX: ${'a'.repeat(1100)}\r\n\r\n`
  await client.send(request('POST /', ['Transfer-Encoding: chunked']) + body)
  expect((await readAnswer(client)).status).toBe(400)
  expect(upstream.seen).toHaveLength(0)
})

test('a connection is closed behind as many requests as it may bring, and the rest is not served', async () => {
  const client = await Wire.connect(weft.port('thrice'))
  await client.send(request('GET /').repeat(5))
  for (const connection of [undefined, undefined, 'close']) {
    const got = await readAnswer(client)
    expect([got.status, value(got, 'connection')]).toEqual([200, connection])
  }
  expect(await client.takeRest()).toBe('')
  expect(upstream.seen).toHaveLength(3)
})

test('a connection beyond the limit gets 503 without a reset, and one that leaves makes room', async () => {
  const serve = async (client: Wire): Promise<number> => {
    await client.send(request('GET /'))
    return (await readAnswer(client)).status
  }
  const [first, second] = [await Wire.connect(weft.port('two')), await Wire.connect(weft.port('two'))]
  expect([await serve(first), await serve(second)]).toEqual([200, 200])
  const third = await Wire.connect(weft.port('two'))
  await third.send(request('GET /'))
  const refused = await readAnswer(third)
  expect([refused.status, value(refused, 'connection')]).toEqual([503, 'close'])
  expect(await third.ended()).toBe('fin')
  expect(await serve(first)).toBe(200)
  second.finish()
  await second.ended()
  const fourth = await Wire.connect(weft.port('two'))
  expect(await serve(fourth)).toBe(200)
  expect((await weft.metrics()).get('weft_downstream_connections_refused_total')).toBe(1)
})
