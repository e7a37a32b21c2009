/** The uWebSockets.js door: what its library makes of HTTP comes to the same as with the native engine. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request, statusOf, value, values } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

let upstream: ScriptedUpstream
let echo: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  echo = await ScriptedUpstream.open()
  echo.answerAll(({ start, body }) => answer(`${start.split(' ')[1]} ${body}`))
  const listener = { engine: 'uws' }
  weft = await startWeft({
    edge: { upstream: upstream.port, listener, cluster: { keepAlive: { idleTimeout: 0 } } },
    echo: { upstream: echo.port, listener },
    small: { upstream: echo.port, listener: { ...listener, limits: { maxRequestBytes: 10 } } },
  })
})

afterEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
  await echo.close()
})

async function exchange(text: string): Promise<[Wire, Wire]> {
  const client = await Wire.connect(weft.port('edge'))
  await client.send(text)
  return [client, await upstream.next()]
}

/** A body that no two places of are alike, larger than all buffers between the two ends. */
const large = Array.from({ length: 1_200_000 }, (_, line) => `line ${line}\n`).join('')

describe('an answer', () => {
  test('passes with its lines, several cookies and one date, by one write of the door', async () => {
    const [client, wire] = await exchange(request('GET /a?b=c&d'))
    expect((await readRequest(wire)).start).toBe('GET /a?b=c&d HTTP/1.1')
    await wire.send(
      answer('hello', 'Date: Sun, 06 Nov 1994 08:49:37 GMT', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-A: 1'),
    )
    const got = await readAnswer(client)
    expect([got.status, got.body]).toEqual([200, 'hello'])
    expect(values(got, 'set-cookie')).toEqual(['a=1', 'b=2'])
    expect(values(got, 'date')).toHaveLength(1)
    expect(value(got, 'via')).toBe('1.1 weft')
    expect(got.lines.filter((line) => /uwebsockets/i.test(line))).toEqual([])
    client.close()
  })

  test.each([
    ['DATE: Sun, 06 Nov 1994 08:49:37 GMT', 'X-Last: 1'],
    ['X-First: 1', 'date: Sun, 06 Nov 1994 08:49:37 GMT'],
  ])('has one date however the upstream spells it (%s, %s)', async (...lines) => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send(answer('x', ...lines))
    expect(values(await readAnswer(client), 'date')).toHaveLength(1)
    client.close()
  })

  test('of bytes beyond ASCII passes as it is', async () => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send('HTTP/1.1 200 tr\u00e8s bien\r\nX-A: \u00e9t\u00e9\r\nContent-Length: 2\r\n\r\n\u00ff\u0000')
    const got = await readAnswer(client)
    expect([got.start, value(got, 'x-a'), got.body]).toEqual([
      'HTTP/1.1 200 tr\u00e8s bien',
      '\u00e9t\u00e9',
      '\u00ff\u0000',
    ])
    client.close()
  })

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', '5'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', undefined],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', undefined],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', '5'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '0'],
  ])('without a body to %s has none and the connection goes on (%j)', async (method, told, length) => {
    const [client, wire] = await exchange(request(`${method} /`))
    await readRequest(wire)
    await wire.send(told)
    const got = await readAnswer(client, method)
    expect([value(got, 'content-length'), value(got, 'transfer-encoding'), got.body]).toEqual([length, undefined, ''])
    await client.send(request('GET /next'))
    await (await upstream.next()).send(answer('next'))
    expect((await readAnswer(client)).body).toBe('next')
    client.close()
  })

  test('in chunks goes on as it comes', async () => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n')
    await readHead(client)
    expect(await client.take(8)).toBe('5\r\nearly')
    await wire.send('4\r\nlate\r\n0\r\n\r\n')
    expect(await client.take(16)).toBe('\r\n4\r\nlate\r\n0\r\n\r\n')
    client.close()
  })

  test.each([
    ['an event stream', 'Content-Type: text/event-stream;charset=utf-8', '2\r\n:\n', '\r\n9\r\ndata: a\n\n'],
    ['an event stream in other letters', 'content-type: Text/Event-Stream', '2\r\n:\n', '\r\n9\r\ndata: a\n\n'],
  ])('that is %s opens before there is an event', async (_, line, opened, event) => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send(`HTTP/1.1 200 OK\r\n${line}\r\nTransfer-Encoding: chunked\r\n\r\n`)
    expect(statusOf(await readHead(client))).toBe(200)
    expect(await client.take(opened.length)).toBe(opened)
    await wire.send('9\r\ndata: a\n\n\r\n')
    expect(await client.take(event.length)).toBe(event)
    client.close()
  })

  test.each([
    ['another kind', 'Content-Type: text/plain'],
    ['an encoded event stream', 'Content-Type: text/event-stream\r\nContent-Encoding: gzip'],
  ])('of %s has no byte that its upstream did not send', async (_, lines) => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send(`HTTP/1.1 200 OK\r\n${lines}\r\nTransfer-Encoding: chunked\r\n\r\n`)
    await wire.send('5\r\nearly\r\n')
    await readHead(client)
    expect(await client.take(8)).toBe('5\r\nearly')
    client.close()
  })

  test('with a length goes on as it comes', async () => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n')
    expect(value(await readHead(client), 'content-length')).toBe('9')
    await wire.send('early')
    expect(await client.take(5)).toBe('early')
    await wire.send('late')
    expect(await client.take(4)).toBe('late')
    client.close()
  })

  test.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
  ])('that breaks off %s is cut and not completed', async (_, told) => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send(told)
    await client.until(() => client.unread.includes('hello'), 'the begin of the body')
    wire.reset()
    expect((await client.takeRest()).endsWith('0\r\n\r\n')).toBe(false)
  })

  test('of 1xx passes before the final one, a 100 excepted', async () => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    await wire.send('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    const hints = await readHead(client)
    expect([statusOf(hints), value(hints, 'link')]).toEqual([103, '</a>'])
    await wire.send(`HTTP/1.1 102 Processing\r\n\r\n${answer('done', 'X-A: 1')}`)
    const got = await readAnswer(client)
    expect([got.informational.map(statusOf), got.body, value(got, 'x-a')]).toEqual([[102], 'done', '1'])
    client.close()
  })
})

describe('a request', () => {
  test('passes with its lines, names in lower case', async () => {
    const [client, wire] = await exchange(request('GET /', ['X-One: 1', 'x-two: 2', 'X-One: again']))
    const seen = await readRequest(wire)
    expect(seen.lines.slice(0, 4)).toEqual(['host: a.example', 'x-one: 1', 'x-two: 2', 'x-one: again'])
    expect(value(seen, 'x-forwarded-for')).toBe('127.0.0.1')
    client.close()
  })

  test('of bytes beyond ASCII passes as it is when they are UTF-8, and is refused when not', async () => {
    const utf8 = Buffer.from('a \u00e9 \u0141 \u20ac.').toString('latin1')
    const [client, wire] = await exchange(request('GET /', [`X-A: ${utf8}`]))
    expect(value(await readRequest(wire), 'x-a')).toBe(utf8)
    client.close()
    const other = await Wire.connect(weft.port('edge'))
    await other.send(request('GET /', ['X-A: a\u00e9b']))
    expect((await readAnswer(other)).status).toBe(400)
    expect(await other.takeRest()).toBe('')
  })

  test('cannot make a line end of a character whose low byte is one', async () => {
    const injected = Buffer.from('a\u010d\u010aX-Injected: 1').toString('latin1')
    const [client, wire] = await exchange(request('GET /', [`X-A: ${injected}`]))
    const seen = await readRequest(wire)
    expect(values(seen, 'x-injected')).toEqual([])
    expect(value(seen, 'x-a')).toBe(injected)
    client.close()
  })

  test.each([
    ['with a length', []],
    ['in chunks', ['Transfer-Encoding: chunked']],
  ])('body %s arrives as it was sent', async (_, lines) => {
    const client = await Wire.connect(weft.port('echo'))
    const body = large.slice(0, 3_000_000)
    const sent =
      lines.length === 0
        ? request('POST /a', [], body)
        : `${request('POST /a', lines)}${(70_000).toString(16)}\r\n${body.slice(0, 70_000)}\r\n${(body.length - 70_000).toString(16)}\r\n${body.slice(70_000)}\r\n0\r\n\r\n`
    await client.send(sent)
    expect((await readAnswer(client)).body === `/a ${body}`).toBe(true)
    client.close()
  })

  test('body that the upstream does not take is not taken from the client', async () => {
    const [client, wire] = await exchange(`${request('POST /', [`Content-Length: ${large.length}`])}`)
    await readHead(wire)
    wire.socket.pause()
    let sent = false
    const sending = client.send(large).then(() => {
      sent = true
    })
    // Served in between: the door goes on although one of its clients waits.
    const other = await Wire.connect(weft.port('echo'))
    for (let round = 0; round < 200; round += 1) {
      await other.send(request('GET /other'))
      await readAnswer(other)
    }
    expect(sent).toBe(false)
    expect(weft.privateBytes()).toBeLessThan(200e6)
    wire.socket.resume()
    await sending
    expect((await wire.take(large.length)) === large).toBe(true)
    await wire.send(answer('done'))
    expect((await readAnswer(client)).body).toBe('done')
    client.close()
    other.close()
  })

  test('body larger than the listener takes is 413, and the next request on the connection is served', async () => {
    const client = await Wire.connect(weft.port('small'))
    await client.send(request('POST /', [], 'x'.repeat(11)))
    expect((await readAnswer(client)).status).toBe(413)
    await client.send(request('POST /', [], 'x'.repeat(10)))
    expect((await readAnswer(client)).status).toBe(200)
    client.close()
  })

  test('that expects 100 is told to go on, and to go on with the next one after an early answer', async () => {
    const [client, wire] = await exchange(request('POST /', ['Expect: 100-continue', 'Content-Length: 5']))
    expect(statusOf(await readHead(client))).toBe(100)
    await readHead(wire)
    await client.send('hello')
    expect(await wire.take(5)).toBe('hello')
    await wire.send(answer('thanks'))
    expect((await readAnswer(client)).body).toBe('thanks')
    client.close()
  })

  test('that says close is answered so, and its connection ends', async () => {
    const client = await Wire.connect(weft.port('echo'))
    await client.send(request('GET /', ['Connection: close']))
    expect(value(await readAnswer(client), 'connection')).toBe('close')
    expect(await client.takeRest()).toBe('')
  })
})

describe('a client', () => {
  test.each([
    ['with a length', `Content-Length: ${large.length}`, large, large],
    ['in chunks', 'Transfer-Encoding: chunked', `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`, null],
  ])('that reads slowly gets a large answer whole (%s), and memory stays', async (_, framing, sent, got) => {
    const client = await Wire.connect(weft.port('edge'))
    client.socket.pause()
    await client.send(request('GET /'))
    const wire = await upstream.next()
    await readRequest(wire)
    const before = weft.privateBytes()
    let over = false
    const sending = wire.send(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${sent}`).then(() => {
      over = true
    })
    const other = await Wire.connect(weft.port('echo'))
    for (let round = 0; round < 200; round += 1) {
      await other.send(request('GET /other'))
      await readAnswer(other)
    }
    expect(over).toBe(false)
    expect(weft.privateBytes() - before).toBeLessThan(20e6)
    client.socket.resume()
    const answered = await readAnswer(client)
    await sending
    expect(answered.body === (got ?? large)).toBe(true)
    client.close()
    other.close()
  })

  test.each(['close', 'reset', 'finish'] as const)('that goes away (%s) ends its request upstream', async (how) => {
    const [client, wire] = await exchange(request('GET /gone'))
    await readRequest(wire)
    client[how]()
    await wire.ended()
    const line = await weft.logLine(({ path, response_flags }) => path === '/gone' && response_flags === 'DC')
    expect(line.response_code).toBe(0)
    client.close()
  })

  test('that goes away amid its body ends its request upstream', async () => {
    const [client, wire] = await exchange(`${request('POST /', ['Content-Length: 10'])}hello`)
    await readHead(wire)
    client.close()
    await wire.ended()
  })

  test('of a thousand that come and go at once leaves nothing behind', async () => {
    const sockets = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = connect({ port: weft.port('echo'), host: '127.0.0.1' })
        await once(socket, 'connect')
        socket.on('error', () => {})
        return socket
      }),
    )
    for (const socket of sockets) socket.write(request('GET /crowd'))
    for (const [at, socket] of sockets.entries()) if (at % 2 === 0) socket.destroy()
    for (const [at, socket] of sockets.entries()) if (at % 2 === 1) await once(socket, 'data')
    for (const socket of sockets) socket.destroy()
    const client = await Wire.connect(weft.port('echo'))
    await client.send(request('GET /after'))
    expect((await readAnswer(client)).body).toBe('/after ')
    client.close()
    expect((await weft.metrics()).get('weft_panics_total')).toBe(0)
  })
})
