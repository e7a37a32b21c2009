/** `maxRequestBytes`: announced and counted, with the connection closed so that the client sees the answer. */
import { request as ask } from 'undici'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readAnswer, readHead, request, value } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

let upstream: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  weft = await startWeft({ ten: { upstream: upstream.port, listener: { limits: { maxRequestBytes: 10 } } } })
})

beforeEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

const chunked = (body: string) => `${request('POST /', ['Transfer-Encoding: chunked'])}${body}`

test.each([
  ['length', request('POST /', [], '0123456789')],
  ['chunks', chunked('4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n')],
])('a body of known %s is served at the limit', async (_, sent) => {
  const client = await Wire.connect(weft.port('ten'))
  await client.send(sent)
  const endpoint = await upstream.next()
  await endpoint.takeThrough('9')
  await endpoint.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  expect((await readAnswer(client)).status).toBe(200)
})

test('a body that is announced as longer is refused before any of it is read', async () => {
  const client = await Wire.connect(weft.port('ten'))
  await client.send(request('POST /', ['Content-Length: 11', 'Expect: 100-continue']))
  const refused = await readAnswer(client)
  expect([refused.status, value(refused, 'connection'), refused.informational]).toEqual([413, 'close', []])
  expect(refused.body).toContain('maxRequestBytes')
  expect(await client.ended()).toBe('fin')
  expect(upstream.accepted).toBe(2)
})

test('chunks are counted as they come, and what lies beyond the limit never reaches the endpoint', async () => {
  const client = await Wire.connect(weft.port('ten'))
  await client.send(chunked('8\r\n01234567\r\n'))
  const endpoint = await upstream.next()
  await readHead(endpoint)
  await endpoint.takeThrough('01234567\r\n')
  await client.send('8\r\nBEYOND__\r\n')
  const refused = await readAnswer(client)
  expect([refused.status, value(refused, 'connection')]).toEqual([413, 'close'])
  expect(await client.ended()).toBe('fin')
  await endpoint.ended()
  expect(endpoint.unread).not.toContain('BEYOND')
})

test('a client that is still sending reads the refusal', async () => {
  const body = 'x'.repeat(50_000)
  const { statusCode } = await ask(`http://127.0.0.1:${weft.port('ten')}/`, { method: 'POST', body })
  expect(statusCode).toBe(413)
  const line = await weft.logLine(({ response_code, bytes_received }) => response_code === 413 && bytes_received === 0)
  expect(line).toMatchObject({ response_flags: 'DPE', upstream_host: null })
})
