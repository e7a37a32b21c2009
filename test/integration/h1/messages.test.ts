/** What passes the proxy unharmed, what it adds and what it removes. */
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
  weft = await startWeft({
    edge: { upstream: upstream.port, cluster: { keepAlive: { idleTimeout: 0 } } },
    echo: { upstream: echo.port },
  })
})

afterEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
  await echo.close()
})

/** A client that has sent `text`, and the upstream's end of what came of it. */
async function exchange(text: string): Promise<[Wire, Wire]> {
  const client = await Wire.connect(weft.port('edge'))
  await client.send(text)
  return [client, await upstream.next()]
}

describe('pipelining', () => {
  const chunked = 'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n'
  const requests = [request('POST /1', [], 'one'), chunked, request('GET /3'), request('PUT /4', [], 'four')]
  const bodies = ['/1 one', '/2 two', '/3 ', '/4 four']

  test('requests sent at once are answered in order', async () => {
    const client = await Wire.connect(weft.port('echo'))
    await client.send(requests.join('').repeat(50))
    for (let round = 0; round < 50; round += 1) {
      for (const body of bodies) expect((await readAnswer(client)).body).toBe(body)
    }
    client.close()
  })

  test('requests that come byte by byte are answered in order', async () => {
    const client = await Wire.connect(weft.port('echo'))
    await client.sendSingly(requests.join(''))
    for (const body of bodies) expect((await readAnswer(client)).body).toBe(body)
    client.close()
  })

  test('a client that half-closes behind its pipeline gets every answer', async () => {
    const client = await Wire.connect(weft.port('echo'))
    await client.send(requests.join(''))
    client.finish()
    for (const body of bodies) expect((await readAnswer(client)).body).toBe(body)
    expect(await client.takeRest()).toBe('')
    expect(client.ending).toBe('fin')
  })

  test('what stands behind a malformed request is not answered', async () => {
    const client = await Wire.connect(weft.port('echo'))
    await client.send(`${request('GET /1')}GET / HTTP/1.1\r\n\r\n${request('GET /smuggled')}`)
    expect((await readAnswer(client)).status).toBe(200)
    const refused = await readAnswer(client)
    expect([refused.status, value(refused, 'connection')]).toEqual([400, 'close'])
    expect(await client.takeRest()).toBe('')
    expect(echo.seen.filter(({ start }) => start.includes('/smuggled'))).toHaveLength(0)
  })
})

describe('keep-alive', () => {
  test('an HTTP/1.1 connection serves until it says close', async () => {
    const client = await Wire.connect(weft.port('echo'))
    for (let count = 0; count < 3; count += 1) {
      await client.send(request('GET /'))
      expect(value(await readAnswer(client), 'connection')).toBeUndefined()
    }
    await client.send(request('GET /', ['Connection: close']))
    expect(value(await readAnswer(client), 'connection')).toBe('close')
    expect(await client.takeRest()).toBe('')
  })

  test('an HTTP/1.0 connection serves once, or on while it asks to be kept', async () => {
    const client = await Wire.connect(weft.port('echo'))
    await client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    expect(value(await readAnswer(client), 'connection')).toBe('keep-alive')
    await client.send('GET / HTTP/1.0\r\n\r\n')
    expect(value(await readAnswer(client), 'connection')).toBe('close')
    expect(await client.takeRest()).toBe('')
  })

  test('an upstream that closes does not close the client', async () => {
    const [client, wire] = await exchange(request('GET /'))
    await wire.send('HTTP/1.0 200 OK\r\n\r\nuntil the end')
    wire.finish()
    expect((await readAnswer(client)).body).toBe('until the end')
    await client.send(request('GET /again'))
    const second = await upstream.next()
    await second.send(answer('again'))
    expect((await readAnswer(client)).body).toBe('again')
    client.close()
  })
})

describe('framing', () => {
  test('chunks and trailers pass both ways, as they come', async () => {
    const lines = ['TE: trailers', 'Trailer: X-Sum', 'Transfer-Encoding: chunked']
    const [client, wire] = await exchange(`${request('POST /', lines).slice(0, -2)}\r\n3\r\none\r\n`)
    const head = await readHead(wire)
    expect([value(head, 'te'), value(head, 'trailer')]).toEqual(['trailers', 'X-Sum'])
    expect(await wire.take(8)).toBe('3\r\none\r\n')
    await wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nearly\r\n')
    await readHead(client)
    expect(await client.take(10)).toBe('5\r\nearly\r\n')
    const [rest, late] = ['3\r\ntwo\r\n0\r\nX-Sum: 6\r\n\r\n', '4\r\nlate\r\n0\r\nX-Sum: 9\r\n\r\n']
    await client.send(rest)
    expect(await wire.take(rest.length)).toBe(rest)
    await wire.send(late)
    expect(await client.take(late.length)).toBe(late)
    client.close()
  })

  test('a large body arrives as it was sent, in either framing and both ways', async () => {
    const body = Array.from({ length: 40_000 }, (_, line) => `line ${line} of a body\n`).join('')
    const client = await Wire.connect(weft.port('echo'))
    const chunks = `${(70_000).toString(16)}\r\n${body.slice(0, 70_000)}\r\n${(body.length - 70_000).toString(16)}\r\n${body.slice(70_000)}\r\n0\r\n\r\n`
    await client.send(request('POST /a', [], body))
    expect((await readAnswer(client)).body).toBe(`/a ${body}`)
    await client.send(`${request('POST /b', ['Transfer-Encoding: chunked'])}${chunks}`)
    expect((await readAnswer(client)).body).toBe(`/b ${body}`)
    client.close()
  })

  test('chunks become a body that ends with the connection for HTTP/1.0', async () => {
    const [client, wire] = await exchange('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    await wire.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n')
    const got = await readAnswer(client)
    expect([got.body, value(got, 'connection'), value(got, 'transfer-encoding')]).toEqual(['hello', 'close', undefined])
  })
})

describe('informational answers', () => {
  test('each is passed on when it comes, before the final one', async () => {
    const [client, wire] = await exchange(request('GET /'))
    await readRequest(wire)
    for (const [status, line] of [
      [100, 'X-A: 1'],
      [102, 'X-B: 2'],
      [103, 'Link: </style.css>'],
    ] as const) {
      await wire.send(`HTTP/1.1 ${status} Go on\r\n${line}\r\n\r\n`)
      const head = await readHead(client)
      expect([statusOf(head), head.lines[0]]).toEqual([status, line])
    }
    await wire.send(answer())
    expect((await readAnswer(client)).status).toBe(200)
    client.close()
  })

  test('an HTTP/1.0 client gets none', async () => {
    const [client, wire] = await exchange('GET / HTTP/1.0\r\n\r\n')
    await wire.send(`HTTP/1.1 103 Early Hints\r\n\r\n${answer()}`)
    expect((await readAnswer(client)).informational).toEqual([])
  })
})

describe('Expect: 100-continue', () => {
  const expecting = request('POST /', ['Expect: 100-continue', 'Content-Length: 5'])

  test('is decided by the upstream, which lets the body come', async () => {
    const [client, wire] = await exchange(expecting)
    expect(value(await readHead(wire), 'expect')).toBe('100-continue')
    await wire.send('HTTP/1.1 100 Continue\r\n\r\n')
    expect(statusOf(await readHead(client))).toBe(100)
    await client.send('hello')
    expect(await wire.take(5)).toBe('hello')
    await wire.send(answer('thanks'))
    expect((await readAnswer(client)).body).toBe('thanks')
    await client.send(request('GET /next'))
    await (await upstream.next()).send(answer('next'))
    expect((await readAnswer(client)).body).toBe('next')
    client.close()
  })

  test('is refused by the upstream before a byte of the body was sent', async () => {
    const [client, wire] = await exchange(expecting)
    await readHead(wire)
    await wire.send('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno')
    const got = await readAnswer(client)
    expect([got.status, got.body, value(got, 'connection')]).toEqual([417, 'no', 'close'])
    expect(await client.takeRest()).toBe('')
    expect(await wire.takeRest()).toBe('')
  })
})

test('case and order of header lines stay, both ways', async () => {
  const asked = ['Host: A.example', 'x-ONE: 1', 'Accept:*/*', 'X-Two: 2', 'x-one: again', 'X-Request-Id: id']
  const told = [
    'Server: Y',
    'x-ONE: 1',
    'Date: Sun, 06 Nov 1994 08:49:37 GMT',
    'Set-Cookie: a',
    'X-Two: 2',
    'set-cookie: b',
  ]
  const [client, wire] = await exchange(`GET / HTTP/1.1\r\n${asked.join('\r\n')}\r\n\r\n`)
  const added = ['x-forwarded-for: 127.0.0.1', 'x-forwarded-proto: http', 'via: 1.1 weft']
  expect((await readRequest(wire)).lines).toEqual([...asked, ...added])
  await wire.send(answer('ok', ...told))
  expect((await readAnswer(client)).lines).toEqual([...told, 'via: 1.1 weft', 'content-length: 2'])
  client.close()
})

test('methods of every kind reach the upstream as they are, CONNECT none', async () => {
  const client = await Wire.connect(weft.port('echo'))
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'get']) {
    await client.send(request(`${method} /method`))
    expect((await readAnswer(client)).status).toBe(200)
    expect(echo.seen.at(-1)?.start).toBe(`${method} /method HTTP/1.1`)
  }
  await client.send('CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n')
  expect((await readAnswer(client)).status).toBe(405)
  expect(await client.ended()).toBe('fin')
})

describe('what the proxy adds', () => {
  test('an id for a request that has none, in request and local reply; an id that came is kept', async () => {
    const [client, wire] = await exchange(request('GET /'))
    const made = value(await readRequest(wire), 'x-request-id')
    expect(made).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    wire.reset()
    const failed = await readAnswer(client)
    expect([failed.status, value(failed, 'x-request-id')]).toEqual([503, made])
    const line = await weft.logLine(({ request_id }) => request_id === made)
    expect(line.response_flags).toBe('UR')
    await client.send(request('GET /', ['X-Request-Id: mine']))
    expect(values(await readRequest(await upstream.next()), 'x-request-id')).toEqual(['mine'])
    client.close()
  })

  test('who asked and how, and itself to the path of the message', async () => {
    const [client, wire] = await exchange(request('GET /', ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-Proto: https']))
    const seen = await readRequest(wire)
    expect(value(seen, 'x-forwarded-for')).toBe('192.0.2.7, 127.0.0.1')
    expect(value(seen, 'x-forwarded-proto')).toBe('http')
    expect(value(seen, 'via')).toBe('1.1 weft')
    await wire.send(answer())
    const got = await readAnswer(client)
    expect(value(got, 'via')).toBe('1.1 weft')
    expect(Math.abs(Date.parse(value(got, 'date') ?? '') - Date.now())).toBeLessThan(5_000)
    client.close()
  })
})
