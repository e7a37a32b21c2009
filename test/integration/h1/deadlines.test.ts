/** Every clock of a listener, a route and a cluster, with the status and the flag that it ends in. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

/** A thread that listens, then never accepts. */
const deaf = `
  const { parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
  })`

let upstream: ScriptedUpstream
let weft: Weft
let listening: Worker
const queued: Socket[] = []

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  listening = new Worker(deaf, { eval: true })
  const [fullPort] = (await once(listening, 'message')) as [number]
  // The queue of accepted connections holds one more than its backlog; further attempts hang.
  queued.push(...[0, 1, 2, 3].map(() => connect(fullPort, '127.0.0.1').on('error', () => {})))
  await Promise.all(queued.slice(0, 2).map((socket) => once(socket, 'connect')))
  const cluster = { keepAlive: { idleTimeout: 0 } }
  const at = upstream.port
  weft = await startWeft({
    edge: { upstream: at, cluster },
    slowHead: { upstream: at, cluster, listener: { limits: { headersTimeout: '200ms' } } },
    idleClient: { upstream: at, cluster, listener: { limits: { idleTimeout: '200ms' } } },
    firstByte: { upstream: at, cluster, route: { firstByteTimeout: '400ms' } },
    exchange: { upstream: at, cluster, route: { timeout: '500ms' } },
    idleStream: { upstream: at, cluster, route: { idleTimeout: '300ms' } },
    full: { upstream: fullPort, cluster: { connectTimeout: '200ms' } },
    fullShort: { upstream: fullPort, cluster: { connectTimeout: '30s' }, route: { timeout: '300ms' } },
  })
})

afterEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
  for (const socket of queued) socket.destroy()
  await listening.terminate()
})

/** Lets time pass for senders that are slow on purpose: here the clock is the subject. */
function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

async function exchange(door: string, text: string): Promise<[Wire, Wire]> {
  const client = await Wire.connect(weft.port(door))
  await client.send(text)
  return [client, await upstream.next()]
}

test('a head that drips in is refused with 408 when its time is over', async () => {
  const client = await Wire.connect(weft.port('slowHead'))
  let over = false
  const drip = async (): Promise<void> => {
    for (const byte of request('GET /', ['X-Slow: 1'.repeat(1000)])) {
      if (over) return
      await client.send(byte)
      await pass(10)
    }
  }
  const dripping = drip()
  const got = await readAnswer(client)
  over = true
  await dripping
  expect(got.status).toBe(408)
  const line = await weft.logLine(({ downstream_local_address }) =>
    String(downstream_local_address).endsWith(`:${weft.port('slowHead')}`),
  )
  expect(line).toMatchObject({ response_code: 408, response_flags: 'DPE' })
})

test('a client that sends nothing is closed without an answer', async () => {
  const fresh = await Wire.connect(weft.port('idleClient'))
  expect([await fresh.takeRest(), fresh.ending]).toEqual(['', 'fin'])
  const [used, wire] = await exchange('idleClient', request('GET /'))
  await wire.send(answer())
  await readAnswer(used)
  expect([await used.takeRest(), used.ending]).toEqual(['', 'fin'])
})

test('an upstream that does not begin its answer is 504', async () => {
  const [client, wire] = await exchange('firstByte', request('GET /first-byte'))
  await readRequest(wire)
  expect((await readAnswer(client)).status).toBe(504)
  await wire.ended()
  expect(await weft.logLine(({ path }) => path === '/first-byte')).toMatchObject({
    response_code: 504,
    response_flags: 'UT',
  })
})

test('the time to the first byte does not run while the request is still sent', async () => {
  const [client, wire] = await exchange('firstByte', request('POST /', ['Content-Length: 40']))
  await readHead(wire)
  for (let part = 0; part < 4; part += 1) {
    await pass(150)
    await client.send('0123456789')
    await wire.take(10)
  }
  await wire.send(answer())
  expect((await readAnswer(client)).status).toBe(200)
  client.close()
})

test('an exchange that takes too long is 504', async () => {
  const [client, wire] = await exchange('exchange', request('POST /exchange', ['Content-Length: 10']))
  await readHead(wire)
  await client.send('0123456789')
  expect((await readAnswer(client)).status).toBe(504)
  await wire.ended()
  expect(await weft.logLine(({ path }) => path === '/exchange')).toMatchObject({ response_flags: 'UT' })
})

test('the time of the whole exchange does not run while the request is still sent', async () => {
  const [client, wire] = await exchange('exchange', request('POST /', ['Content-Length: 40']))
  await readHead(wire)
  for (let part = 0; part < 4; part += 1) {
    await pass(150)
    await client.send('0123456789')
    await wire.take(10)
  }
  await wire.send(answer())
  expect((await readAnswer(client)).status).toBe(200)
  client.close()
})

test('an exchange that answers in time is not cut while it streams', async () => {
  const [client, wire] = await exchange('exchange', request('GET /'))
  await wire.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
  await readHead(client)
  for (const byte of 'hello') {
    await pass(150)
    await wire.send(byte)
    expect(await client.take(1)).toBe(byte)
  }
  client.close()
})

test('a stream in which nothing moves is cut, and 408 when its answer has not begun', async () => {
  const [streaming, wire] = await exchange('idleStream', request('GET /stalled'))
  await wire.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe')
  await readHead(streaming)
  expect(await streaming.takeRest()).toBe('he')
  await wire.ended()
  const line = await weft.logLine(({ path }) => path === '/stalled')
  expect(line).toMatchObject({ response_code: 200, response_flags: 'SI', bytes_sent: 2 })
  const [waiting, silent] = await exchange('idleStream', request('POST /silent', ['Content-Length: 5']))
  await readHead(silent)
  expect((await readAnswer(waiting)).status).toBe(408)
  expect(await weft.logLine(({ path }) => path === '/silent')).toMatchObject({ response_flags: 'SI' })
})

test('an upstream that does not accept is 503 after the time to connect', async () => {
  const client = await Wire.connect(weft.port('full'))
  await client.send(request('GET /full'))
  expect((await readAnswer(client)).status).toBe(503)
  const line = await weft.logLine(({ path }) => path === '/full')
  expect(line).toMatchObject({ response_flags: 'UF', upstream_request_attempt_count: 1 })
  client.close()
})

test('the time of the exchange runs while a connection is made', async () => {
  const client = await Wire.connect(weft.port('fullShort'))
  await client.send(request('GET /full-short'))
  expect((await readAnswer(client)).status).toBe(504)
  expect(await weft.logLine(({ path }) => path === '/full-short')).toMatchObject({ response_flags: 'UT' })
  client.close()
})

test('a client that resets while a connection is made ends the exchange', async () => {
  const client = await Wire.connect(weft.port('fullShort'))
  await client.send(request('GET /full-gone'))
  client.reset()
  expect(await weft.logLine(({ path }) => path === '/full-gone')).toMatchObject({ response_flags: 'DC' })
})
