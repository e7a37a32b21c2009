/** Upstreams that refuse, reset, die or close at the wrong moment: status, flag and what is never done twice. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request, value } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Truncated, Wire } from '../../kit/wire.js'

/** Begins an answer to whoever connects, and never ends it. */
const endless = `
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 1000000\\r\\n\\r\\nhalf'))
  }).listen(0, '127.0.0.1', () => console.log(server.address().port))`

let upstream: ScriptedUpstream
let child: ChildProcess
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  child = spawn(process.execPath, ['-e', endless], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  weft = await startWeft({
    edge: { upstream: upstream.port, cluster: { keepAlive: { idleTimeout: 0 } } },
    kept: { upstream: upstream.port, cluster: { keepAlive: { idleTimeout: '1m' } } },
    refused: { upstream: await closedPort() },
    killed: { upstream: Number(port) },
  })
})

afterEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
  child.kill()
})

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await once(server.close(), 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function exchange(text: string, door = 'edge'): Promise<[Wire, Wire]> {
  const client = await Wire.connect(weft.port(door))
  await client.send(text)
  return [client, await upstream.next()]
}

const logged = (path: string) => weft.logLine((line) => line.path === path)

test('an upstream that refuses connections is 503, and the client may ask again', async () => {
  const client = await Wire.connect(weft.port('refused'))
  for (const path of ['/refused-1', '/refused-2']) {
    await client.send(request(`GET ${path}`))
    expect((await readAnswer(client)).status).toBe(503)
    expect(await logged(path)).toMatchObject({ response_flags: 'UF', response_code: 503 })
  }
  client.close()
})

test('a HEAD that fails has the head of the reply only', async () => {
  const client = await Wire.connect(weft.port('refused'))
  await client.send(request('HEAD /') + request('GET /'))
  const head = await readAnswer(client, 'HEAD')
  expect([head.status, Number(value(head, 'content-length')) > 0]).toEqual([503, true])
  expect((await readAnswer(client)).status).toBe(503)
  client.close()
})

test('an upstream that answers and resets amid the upload is heard', async () => {
  const part = 'u'.repeat(100_000)
  for (let round = 0; round < 20; round += 1) {
    const client = await Wire.connect(weft.port('edge'))
    client.socket.write(request('POST /too-large', ['Content-Length: 10000000']) + part)
    const wire = await upstream.next()
    await readHead(wire)
    wire.socket.pause()
    await wire.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!')
    wire.close()
    client.socket.write(part)
    const got = await readAnswer(client)
    expect([got.status, got.body, value(got, 'connection')]).toEqual([413, 'no!', 'close'])
    client.close()
  }
})

test('early bytes of an upgrade that failed are not taken for a request', async () => {
  const client = await Wire.connect(weft.port('refused'))
  await client.send(request('GET /up', ['Connection: upgrade', 'Upgrade: raw/1']) + request('GET /early'))
  const got = await readAnswer(client)
  expect([got.status, value(got, 'connection')]).toEqual([503, 'close'])
  expect(await client.takeRest()).toBe('')
})

describe('before the head of the answer', () => {
  test('a reset is 503 UR', async () => {
    const [client, wire] = await exchange(request('GET /reset'))
    await readRequest(wire)
    wire.reset()
    expect((await readAnswer(client)).status).toBe(503)
    expect(await logged('/reset')).toMatchObject({ response_flags: 'UR' })
    client.close()
  })

  test('an end is 503 UC', async () => {
    const [client, wire] = await exchange(request('POST /end', [], 'body'))
    await readRequest(wire)
    wire.finish()
    expect((await readAnswer(client)).status).toBe(503)
    expect(await logged('/end')).toMatchObject({ response_flags: 'UC', bytes_received: 4 })
    client.close()
  })

  test('a reset amid it is 502 UPE', async () => {
    const [client, wire] = await exchange(request('GET /amid-head'))
    await readRequest(wire)
    await wire.send('HTTP/1.1 200 OK\r\nContent-')
    await weft.metrics()
    wire.reset()
    expect((await readAnswer(client)).status).toBe(502)
    expect(await logged('/amid-head')).toMatchObject({ response_flags: 'UPE' })
    client.close()
  })

  test('what the client pipelined behind the failed request is still answered', async () => {
    const [client, wire] = await exchange(request('POST /1', [], 'whole') + request('GET /2'))
    await readRequest(wire)
    wire.reset()
    expect((await readAnswer(client)).status).toBe(503)
    const next = await upstream.next()
    expect((await readRequest(next)).start).toBe('GET /2 HTTP/1.1')
    await next.send(answer('second'))
    expect((await readAnswer(client)).body).toBe('second')
    client.close()
  })
})

describe('amid the body of the answer', () => {
  test.each([
    ['a length', 'Content-Length: 10', 'half'],
    ['chunks', 'Transfer-Encoding: chunked', '4\r\nhalf\r\n'],
  ])('a reset cuts %s', async (_, line, half) => {
    const path = `/cut-${line.length}`
    const [client, wire] = await exchange(request(`GET ${path}`))
    await readRequest(wire)
    await wire.send(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n${half}`)
    await client.until(() => client.unread.endsWith(half), 'the first half')
    wire.reset()
    await expect(readAnswer(client)).rejects.toThrow(Truncated)
    expect(await logged(path)).toMatchObject({ response_flags: 'UC', response_code: 200, bytes_sent: 4 })
  })

  test('the death of the upstream cuts it', async () => {
    const client = await Wire.connect(weft.port('killed'))
    await client.send(request('GET /killed'))
    await readHead(client)
    expect(await client.take(4)).toBe('half')
    child.kill('SIGKILL')
    expect(await client.takeRest()).toBe('')
    expect(await logged('/killed')).toMatchObject({ response_flags: 'UC' })
    await (async () => {
      const after = await Wire.connect(weft.port('killed'))
      await after.send(request('GET /'))
      expect((await readAnswer(after)).status).toBe(503)
      after.close()
    })()
  })
})

describe('a kept connection that the upstream closes', () => {
  /** A connection in the pool, seen from the upstream. */
  async function pooled(): Promise<[Wire, Wire]> {
    const [client, wire] = await exchange(request('GET /first', ['X-Fresh: 1']), 'kept')
    await readRequest(wire)
    await wire.send(answer())
    await readAnswer(client)
    return [client, wire]
  }

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])(
    'at the wrong moment: %s is sent again on a new one',
    async (method) => {
      const [client, wire] = await pooled()
      await client.send(request(`${method} /again`))
      expect((await readRequest(wire)).start).toBe(`${method} /again HTTP/1.1`)
      wire.reset()
      const fresh = await upstream.next()
      expect((await readRequest(fresh)).start).toBe(`${method} /again HTTP/1.1`)
      await fresh.send(answer('', 'connection: close'))
      expect((await readAnswer(client, method)).status).toBe(200)
      client.close()
      const line = await weft.logLine(({ path, method: of }) => path === '/again' && of === method)
      expect(line.upstream_request_attempt_count).toBe(2)
    },
  )

  test.each([
    ['POST without a body', request('POST /once')],
    ['POST with a body', request('POST /once', [], 'hello')],
    ['PUT with a body', request('PUT /once', [], 'hello')],
    ['an unknown method', request('BUY /once')],
  ])('at the wrong moment: %s is never sent twice', async (_, text) => {
    const [client, wire] = await pooled()
    const before = upstream.accepted
    await client.send(text)
    await readRequest(wire)
    wire.finish()
    expect((await readAnswer(client)).status).toBe(503)
    await client.send(request('GET /sentinel'))
    const next = await upstream.next()
    expect((await readRequest(next)).start).toBe('GET /sentinel HTTP/1.1')
    expect(upstream.accepted).toBe(before + 1)
    await next.send(answer('', 'connection: close'))
    await readAnswer(client)
    client.close()
  })

  test('while it is idle is not used again, not even by a POST', async () => {
    const [client, wire] = await pooled()
    wire.finish()
    await wire.ended()
    await client.send(request('POST /fresh', [], 'hello'))
    const fresh = await upstream.next()
    expect((await readRequest(fresh)).body).toBe('hello')
    await fresh.send(answer('', 'connection: close'))
    expect((await readAnswer(client)).status).toBe(200)
    client.close()
  })

  test('after it was given informational answers is not asked twice', async () => {
    const [client, wire] = await pooled()
    await client.send(request('GET /hinted'))
    await readRequest(wire)
    await wire.send('HTTP/1.1 103 Early Hints\r\n\r\n')
    await readHead(client)
    wire.reset()
    expect((await readAnswer(client)).status).toBe(502)
    client.close()
  })

  test('fails on the new connection as well: 503, and no third attempt', async () => {
    const [client, wire] = await pooled()
    await client.send(request('GET /twice'))
    await readRequest(wire)
    wire.reset()
    const fresh = await upstream.next()
    await readRequest(fresh)
    fresh.reset()
    expect((await readAnswer(client)).status).toBe(503)
    expect(await logged('/twice')).toMatchObject({ upstream_request_attempt_count: 2 })
    client.close()
  })
})

test('an idle timeout of zero keeps no connection', async () => {
  const [client, wire] = await exchange(request('GET /1') + request('GET /2'))
  await readRequest(wire)
  await wire.send(answer())
  const second = await upstream.next()
  expect((await readRequest(second)).start).toBe('GET /2 HTTP/1.1')
  expect(await wire.ended()).toBe('fin')
  client.close()
})
