/** What a retry policy repeats and what it leaves alone, with upstreams that fail in each way there is. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request, value } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Truncated, Wire } from '../../kit/wire.js'

const unavailable = (body = '', ...lines: string[]) =>
  ['HTTP/1.1 503 Service Unavailable', ...lines, `content-length: ${body.length}`, '', body].join('\r\n')

const backoff = { base: '1ms' }
const statuses = { retries: 2, on: ['retriable-status-codes'], statusCodes: [503], backoff }
const resets = { retries: 2, on: ['reset'], backoff, maxBodyBytes: 65_536 }

let upstream: ScriptedUpstream
/** These two answer every request by a rule. */
let failing: ScriptedUpstream
let other: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  failing = await ScriptedUpstream.open()
  other = await ScriptedUpstream.open()
  failing.answerAll(() => unavailable('here'))
  other.answerAll(() => answer('there'))
  const [at, kept] = [upstream.port, { keepAlive: { idleTimeout: '1m' } }]
  const both = (first: number) => ({ ...kept, endpoints: [`127.0.0.1:${first}`, `127.0.0.1:${other.port}`] })
  const fresh = { keepAlive: { idleTimeout: 0 } }
  weft = await startWeft({
    statuses: { upstream: at, cluster: kept, route: { retry: statuses } },
    fresh: { upstream: at, cluster: fresh, route: { retry: statuses } },
    resets: { upstream: at, cluster: fresh, route: { retry: resets } },
    small: { upstream: at, cluster: fresh, route: { retry: { ...resets, maxBodyBytes: 10 } } },
    none: { upstream: at, cluster: fresh },
    unsent: { upstream: at, cluster: kept, route: { retry: { on: ['reset-before-request'], backoff } } },
    both: { upstream: at, cluster: both(failing.port), route: { retry: { ...statuses, retries: 1 } } },
    refused: {
      upstream: 0,
      cluster: both(await closedPort()),
      route: { retry: { retries: 1, on: ['connect-failure'], backoff } },
    },
    tries: {
      upstream: at,
      cluster: fresh,
      route: { retry: { retries: 1, on: ['reset'], perTryTimeout: '200ms', backoff } },
    },
    total: {
      upstream: at,
      cluster: fresh,
      route: { timeout: '500ms', retry: { retries: 9, on: ['reset'], perTryTimeout: '200ms', backoff } },
    },
    late: {
      upstream: at,
      cluster: fresh,
      route: { timeout: '300ms', retry: { ...resets, retries: 9, backoff: { base: '1h', max: '1h' } } },
    },
    patient: {
      upstream: at,
      cluster: fresh,
      route: { timeout: 0, retry: { ...resets, backoff: { base: '1h', max: '1h' } } },
    },
  })
})

afterEach(() => {
  for (const each of [upstream, failing, other]) each.clear()
})

afterAll(async () => {
  await weft.stop()
  await Promise.all([upstream.close(), failing.close(), other.close()])
})

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await once(server.close(), 'close')
  return port
}

async function send(door: string, text: string): Promise<Wire> {
  const client = await Wire.connect(weft.port(door))
  await client.send(text)
  return client
}

const logged = (path: string) => weft.logLine((line) => line.path === path)

describe('an answer with a status that the policy names', () => {
  test('is asked for again on the same connection, as often as the policy says', async () => {
    const before = upstream.accepted
    const client = await send('statuses', request('GET /twice'))
    const wire = await upstream.next()
    for (const body of ['no', 'not yet']) {
      expect((await readRequest(wire)).start).toBe('GET /twice HTTP/1.1')
      await wire.send(unavailable(body))
    }
    await readRequest(wire)
    await wire.send(answer('now'))
    expect(await readAnswer(client)).toMatchObject({ status: 200, body: 'now' })
    expect(upstream.accepted).toBe(before + 1)
    expect(await logged('/twice')).toMatchObject({ upstream_request_attempt_count: 3, response_flags: '-' })
    client.close()
  })

  test('goes back with its body and URX when no retry is left, and says that it was retried', async () => {
    const client = await send('statuses', request('GET /spent'))
    const wire = await upstream.next()
    for (const body of ['1', '2', '3']) {
      await readRequest(wire)
      await wire.send(unavailable(body))
    }
    const got = await readAnswer(client)
    expect([got.status, got.body, value(got, 'x-weft-retries')]).toEqual([503, '3', 'spent'])
    expect(await logged('/spent')).toMatchObject({ upstream_request_attempt_count: 3, response_flags: 'URX' })
    client.close()
  })

  test('is not repeated when a proxy nearer to the failure has retried it', async () => {
    const client = await send('statuses', request('GET /nearer'))
    const wire = await upstream.next()
    await readRequest(wire)
    await wire.send(unavailable('', 'X-Weft-Retries: spent'))
    const got = await readAnswer(client)
    expect([got.status, value(got, 'x-weft-retries')]).toEqual([503, 'spent'])
    expect(await logged('/nearer')).toMatchObject({ upstream_request_attempt_count: 1 })
    client.close()
  })

  test.each([
    ['a body that comes late', unavailable('x'.repeat(50)).slice(0, -20), 'x'.repeat(20), true],
    ['chunks', 'HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', '0\r\n\r\n', true],
    ['more bytes than its length', `${unavailable('no')}surplus`, '', false],
    ['a long body', unavailable('x'.repeat(100_000)).slice(0, -99_000), '', false],
    ['a connection that it closes', unavailable('', 'Connection: close'), '', false],
  ])('is thrown away with %s', async (what, first, second, kept) => {
    const path = `/discarded-${what.length}`
    const client = await send('statuses', request(`GET ${path}`))
    const wire = await upstream.next()
    await readRequest(wire)
    await wire.send(first)
    const next = await upstream.next()
    await readRequest(next)
    if (second !== '') await wire.send(second)
    await next.send(answer('fine'))
    expect(await readAnswer(client)).toMatchObject({ status: 200, body: 'fine' })
    if (!kept) expect(await wire.ended()).not.toBe('open')
    client.close()
  })

  test('is asked for at the other endpoint', async () => {
    const client = await Wire.connect(weft.port('both'))
    for (let round = 0; round < 20; round += 1) {
      await client.send(request(`GET /other-${round}`))
      expect(await readAnswer(client)).toMatchObject({ status: 200, body: 'there' })
    }
    expect(other.seen.length).toBe(20)
    expect(failing.seen.length).toBeGreaterThan(0)
    client.close()
  })
})

describe('without an answer', () => {
  test.each([
    ['is closed', (wire: Wire) => wire.finish()],
    ['is reset', (wire: Wire) => wire.reset()],
    ['ends amid the head', (wire: Wire) => wire.send('HTTP/1.1 200 OK\r\nContent-').then(() => wire.finish())],
    ['speaks no HTTP', (wire: Wire) => wire.send('what?\r\n\r\n')],
  ])('a connection that %s is tried again', async (what, fail) => {
    const path = `/failed-${what.length}`
    const client = await send('resets', request(`POST ${path}`, [], 'body'))
    const wire = await upstream.next()
    expect((await readRequest(wire)).body).toBe('body')
    await fail(wire)
    const next = await upstream.next()
    const again = await readRequest(next)
    expect([again.start, again.body, value(again, 'content-length')]).toEqual([`POST ${path} HTTP/1.1`, 'body', '4'])
    await next.send(answer('second'))
    expect((await readAnswer(client)).body).toBe('second')
    expect(await logged(path)).toMatchObject({ upstream_request_attempt_count: 2, bytes_received: 4 })
    client.close()
  })

  test('a connection that cannot be made is tried at the other endpoint, whatever the method', async () => {
    const client = await Wire.connect(weft.port('refused'))
    for (let round = 0; round < 10; round += 1) {
      await client.send(request('POST /refused', [], 'whole'))
      expect((await readAnswer(client)).body).toBe('there')
    }
    expect(other.seen.map(({ body }) => body)).toEqual(Array(10).fill('whole'))
    client.close()
  })

  test('nothing is tried again by a route without a policy', async () => {
    const client = await send('none', request('GET /none'))
    const wire = await upstream.next()
    await readRequest(wire)
    wire.reset()
    const got = await readAnswer(client)
    expect([got.status, value(got, 'x-weft-retries')]).toEqual([503, undefined])
    client.close()
  })

  test('a request of which something was sent is not one that was not', async () => {
    const client = await send('unsent', request('POST /unsent', [], 'once'))
    const wire = await upstream.next()
    await readRequest(wire)
    wire.reset()
    expect((await readAnswer(client)).status).toBe(503)
    expect(await logged('/unsent')).toMatchObject({ upstream_request_attempt_count: 1, response_flags: 'UR' })
    client.close()
  })

  test('what the client pipelined behind the request is answered in order', async () => {
    const client = await send(
      'resets',
      request('POST /p1', [], 'one') + request('POST /p2', [], 'two') + request('GET /p3'),
    )
    const wire = await upstream.next()
    await readRequest(wire)
    wire.reset()
    for (const [start, body] of [
      ['POST /p1', 'one'],
      ['POST /p2', 'two'],
      ['GET /p3', ''],
    ]) {
      const next = await upstream.next()
      const got = await readRequest(next)
      expect([got.start, got.body]).toEqual([`${start} HTTP/1.1`, body])
      await next.send(answer(String(start)))
      expect((await readAnswer(client)).body).toBe(start)
    }
    client.close()
  })

  test('after the head of the answer nothing is tried again', async () => {
    const client = await send('resets', request('GET /begun'))
    const wire = await upstream.next()
    await readRequest(wire)
    await wire.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    await client.until(() => client.unread.endsWith('half'), 'the first half')
    wire.reset()
    await expect(readAnswer(client)).rejects.toThrow(Truncated)
    expect(await logged('/begun')).toMatchObject({ upstream_request_attempt_count: 1, response_flags: 'UC' })
  })

  test('an upgrade that failed is asked for again, with the bytes that came early', async () => {
    const client = await send('resets', `${request('GET /up', ['Connection: upgrade', 'Upgrade: raw/1'])}early`)
    const wire = await upstream.next()
    await readHead(wire)
    wire.reset()
    const next = await upstream.next()
    await readHead(next)
    await next.send('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw/1\r\n\r\n')
    expect((await readHead(client)).start).toMatch(/ 101 /)
    expect(await next.take(5)).toBe('early')
    client.close()
  })
})

describe('the body of a request', () => {
  test('in chunks with trailers is sent again as it was', async () => {
    const text = request('POST /chunks', ['Transfer-Encoding: chunked', 'TE: trailers'])
    const client = await send('resets', `${text}3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n`)
    const wire = await upstream.next()
    const first = await readRequest(wire)
    wire.reset()
    const next = await upstream.next()
    const second = await readRequest(next)
    expect([second.body, second.trailers]).toEqual(['abcde', 'X-Sum: 5\r\n'])
    expect([first.body, first.trailers]).toEqual([second.body, second.trailers])
    await next.send(answer())
    expect((await readAnswer(client)).status).toBe(200)
    client.close()
  })

  test.each([
    ['a length', request('POST /half', ['Content-Length: 40000']), (data: string) => data],
    [
      'chunks',
      request('POST /half', ['Transfer-Encoding: chunked']),
      (data: string, last: boolean) => `${data.length.toString(16)}\r\n${data}\r\n${last ? '0\r\n\r\n' : ''}`,
    ],
  ])('with %s of which half was sent is sent again from its beginning, then goes on', async (_, head, frame) => {
    const [first, second] = ['a'.repeat(20_000), 'b'.repeat(20_000)]
    const client = await send('resets', head + frame(first, false))
    const wire = await upstream.next()
    await wire.until(() => wire.unread.includes('a'.repeat(20_000)), 'the first half')
    wire.reset()
    const next = await upstream.next()
    await next.until(() => next.unread.includes('a'.repeat(20_000)), 'the first half again')
    await client.send(frame(second, true))
    expect((await readRequest(next)).body).toBe(first + second)
    await next.send(answer())
    expect((await readAnswer(client)).status).toBe(200)
    client.close()
  })

  test.each([
    ['announced', request('POST /long-announced', [], 'eleven long')],
    [
      'in chunks',
      `${request('POST /long-in chunks'.replace(' ch', '-ch'), ['Transfer-Encoding: chunked'])}b\r\neleven long\r\n0\r\n\r\n`,
    ],
  ])('longer than the policy keeps, %s, is sent once', async (_, text) => {
    const client = await send('small', text)
    const wire = await upstream.next()
    expect((await readRequest(wire)).body).toBe('eleven long')
    wire.reset()
    const got = await readAnswer(client)
    expect([got.status, value(got, 'x-weft-retries')]).toEqual([503, 'spent'])
    client.close()
  })

  test('as long as the policy keeps is sent again', async () => {
    const client = await send('small', request('POST /short', [], 'ten bytes!'))
    const wire = await upstream.next()
    await readRequest(wire)
    wire.reset()
    const next = await upstream.next()
    expect((await readRequest(next)).body).toBe('ten bytes!')
    await next.send(answer())
    expect((await readAnswer(client)).status).toBe(200)
    client.close()
  })
})

describe('time', () => {
  test('of one attempt that is over begins the next', async () => {
    const client = await send('tries', request('GET /slow'))
    const wire = await upstream.next()
    await readRequest(wire)
    const next = await upstream.next()
    expect(await wire.ended()).not.toBe('open')
    await readRequest(next)
    await next.send(answer('in time'))
    expect((await readAnswer(client)).body).toBe('in time')
    client.close()
  })

  test('of every attempt over is 504, and tells what to raise', async () => {
    const client = await send('tries', request('GET /always-slow'))
    const got = await readAnswer(client)
    expect([got.status, got.body.includes('perTryTimeout')]).toEqual([504, true])
    expect(await logged('/always-slow')).toMatchObject({ upstream_request_attempt_count: 2, response_flags: 'URX' })
    client.close()
  })

  test('of an attempt does not run while the request is still on its way', async () => {
    const client = await send('tries', request('POST /upload', ['Content-Length: 4']))
    const wire = await upstream.next()
    for (const byte of 'body') {
      await new Promise((resolve) => setTimeout(resolve, 100))
      await client.send(byte)
    }
    expect((await readRequest(wire)).body).toBe('body')
    await wire.send(answer('whole'))
    expect((await readAnswer(client)).body).toBe('whole')
    client.close()
  })

  test('of the exchange holds over all attempts, and what it ends is not tried again', async () => {
    const began = performance.now()
    const client = await send('total', request('GET /total'))
    expect((await readAnswer(client)).status).toBe(504)
    const took = performance.now() - began
    expect(took).toBeGreaterThanOrEqual(495)
    expect(took).toBeLessThan(2_000)
    const { upstream_request_attempt_count: attempts, response_flags: flag } = await logged('/total')
    expect([attempts, flag]).toEqual([3, 'UT'])
    client.close()
  })

  test('that would be over before the next attempt ends the exchange at once, with what it has', async () => {
    const client = await send('late', request('GET /late'))
    const wire = await upstream.next()
    await readRequest(wire)
    wire.reset()
    const got = await readAnswer(client)
    expect([got.status, value(got, 'x-weft-retries')]).toEqual([503, 'spent'])
    expect(await logged('/late')).toMatchObject({ upstream_request_attempt_count: 1, response_flags: 'UR' })
    client.close()
  })

  test('to wait ends with the client', async () => {
    const name = 'weft_retries_total'
    const before = (await weft.metrics()).get(name) ?? 0
    const client = await send('patient', request('GET /gone'))
    const wire = await upstream.next()
    await readRequest(wire)
    wire.reset()
    await expect.poll(async () => (await weft.metrics()).get(name), { timeout: 10_000 }).toBe(before + 1)
    client.reset()
    expect(await logged('/gone')).toMatchObject({ response_flags: 'DC', upstream_request_attempt_count: 1 })
    expect((await weft.metrics()).get('weft_requests_active')).toBe(0)
  })
})
