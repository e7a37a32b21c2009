/** Backpressure: who reads slowly is waited for, with bounded memory and no effect on others. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { socketQueues } from '../../kit/socket-queues.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const bound = 256 * 1024
/** More than all socket buffers between two ends take. */
const large = 32 * 1024 * 1024

let upstream: ScriptedUpstream
let honest: ScriptedUpstream
let weft: Weft
let neighbour: Wire

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  honest = await ScriptedUpstream.open()
  honest.answerAll()
  weft = await startWeft({
    edge: { upstream: upstream.port, cluster: { keepAlive: { idleTimeout: 0 } } },
    neighbour: { upstream: honest.port },
  })
  neighbour = await Wire.connect(weft.port('neighbour'))
})

afterEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
  await honest.close()
})

async function neighbourIsServed(): Promise<void> {
  await neighbour.send(request('GET /'))
  expect((await readAnswer(neighbour)).status).toBe(200)
}

/** Bytes of the wire's own writes that its kernel has taken. */
function written({ socket }: Wire): number {
  return socket.bytesWritten - socket.writableLength
}

/** Resolves when nothing has moved while the proxy served fifty exchanges of a neighbour's in a row. */
async function standsStill(progress: () => number): Promise<void> {
  for (let before = -1, calm = 0; calm < 50; calm += 1) {
    if (progress() !== before) calm = 0
    before = progress()
    await neighbourIsServed()
  }
}

/** What the proxy holds between a wire that writes into it and one that reads out of it. */
function heldBetween(writer: Wire, reader: Wire): number {
  return written(writer) - beforeProxy(writer) - behindProxy(reader) - reader.socket.bytesRead
}

/** What the kernel holds that the proxy has not read. */
function beforeProxy({ socket }: Wire): number {
  const near = socketQueues(socket.localPort ?? 0, socket.remotePort ?? 0)
  const proxyIn = socketQueues(socket.remotePort ?? 0, socket.localPort ?? 0)
  return near.unsent + proxyIn.unread
}

/** What the kernel holds that the proxy has written. */
function behindProxy({ socket }: Wire): number {
  const proxyOut = socketQueues(socket.remotePort ?? 0, socket.localPort ?? 0)
  const far = socketQueues(socket.localPort ?? 0, socket.remotePort ?? 0)
  return proxyOut.unsent + far.unread
}

/** An answer without end to a client that does not read. */
async function stalledDownload(framing: string): Promise<[Wire, Wire]> {
  const client = await Wire.connect(weft.port('edge'))
  await client.send(request('GET /stalled'))
  const wire = await upstream.next()
  await readRequest(wire)
  client.socket.pause()
  wire.socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`)
  return [client, wire]
}

const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`

test.each([
  ['a length', `Content-Length: ${large}`, 'x'.repeat(large)],
  ['chunks', 'Transfer-Encoding: chunked', chunk.repeat(large / chunk.length)],
])('an answer of %s that nobody reads is not taken into memory', async (_, framing, body) => {
  const [client, wire] = await stalledDownload(framing)
  wire.socket.write(body, 'latin1')
  await standsStill(() => written(wire))
  expect(wire.socket.writableLength).toBeGreaterThan(0)
  expect(heldBetween(wire, client)).toBeLessThanOrEqual(bound)
  client.close()
  await wire.ended()
})

test('fifty answers that nobody reads cost at most 256 KiB each, and nothing when they are over', async () => {
  await neighbourIsServed()
  const before = weft.privateBytes()
  const body = 'x'.repeat(8 * 1024 * 1024)
  const stalled = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const [client, wire] = await stalledDownload(`Content-Length: ${body.length}`)
      wire.socket.write(body, 'latin1')
      return { client, wire }
    }),
  )
  await standsStill(() => stalled.reduce((sum, { wire }) => sum + written(wire), 0))
  for (const { wire } of stalled) expect(beforeProxy(wire)).toBeGreaterThan(0)
  expect(weft.privateBytes() - before).toBeLessThanOrEqual(50 * bound)
  for (const { client } of stalled) client.close()
  await Promise.all(stalled.map(({ wire }) => wire.ended()))
  await neighbourIsServed()
  expect(weft.privateBytes() - before).toBeLessThanOrEqual(8 * 1024 * 1024)
})

test('an upload that the upstream does not read is not taken into memory', async () => {
  const client = await Wire.connect(weft.port('edge'))
  await client.send(request('POST /stalled', [`Content-Length: ${large}`]))
  const wire = await upstream.next()
  await readHead(wire)
  wire.socket.pause()
  client.socket.write('x'.repeat(large), 'latin1')
  await standsStill(() => written(client))
  expect(client.socket.writableLength).toBeGreaterThan(0)
  expect(heldBetween(client, wire)).toBeLessThanOrEqual(bound)
  client.reset()
  wire.socket.resume()
  await wire.ended()
})

test('a slow reader gets every byte', async () => {
  const body = Array.from({ length: 300_000 }, (_, line) => `line ${line}\n`).join('')
  const [client, wire] = await stalledDownload('Transfer-Encoding: chunked')
  for (let at = 0; at < body.length; at += 100_000) {
    const part = body.slice(at, at + 100_000)
    wire.socket.write(`${part.length.toString(16)}\r\n${part}\r\n`, 'latin1')
  }
  wire.socket.write('0\r\n\r\n')
  await standsStill(() => written(wire))
  client.socket.on('data', () => {
    client.socket.pause()
    void neighbourTurn().then(() => client.socket.resume())
  })
  client.socket.resume()
  const got = await readAnswer(client)
  expect(got.body === body).toBe(true)
  client.close()
})

/** One turn of the proxy; the neighbour's wire is shared, so turns queue up. */
let turns: Promise<void> = Promise.resolve()
function neighbourTurn(): Promise<void> {
  turns = turns.then(neighbourIsServed)
  return turns
}

test('a slow writer is waited for, byte by byte', async () => {
  const client = await Wire.connect(weft.port('edge'))
  const body = 'a slow body'
  await client.sendSingly(request('POST /slow', [], body))
  const wire = await upstream.next()
  expect((await readRequest(wire)).body).toBe(body)
  await wire.sendSingly(answer('a slow answer', 'X-Slow: yes'))
  expect((await readAnswer(client)).body).toBe('a slow answer')
  client.close()
})
