/** An application's own requests through the mesh without a connection to it: undici's clients, real services behind. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { type Dispatcher, FormData, fetch, request } from 'undici'
import { afterEach, expect, test } from 'vitest'
import type { ProxyConfig } from '../../../src/config/config.js'
import { startEmbeddedProxy, type WeftProxy } from '../../../src/proxy/embedded-proxy.js'
import { createDispatcher } from '../../../src/undici/dispatcher.js'
import { answer, readRequest } from '../../kit/h1-message.js'
import { closeUpstreams, type Received, Upstream } from '../../kit/http-upstream.js'
import { pattern, sha256 } from '../../kit/pattern.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'

const proxies: WeftProxy[] = []
const dispatchers: Dispatcher[] = []

afterEach(async () => {
  await Promise.all(dispatchers.splice(0).map((dispatcher) => dispatcher.destroy()))
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()))
  await closeUpstreams()
})

const dist = (file: string) => new URL(`../../../dist/${file}`, import.meta.url).href

/** The package as it is built: threads start from its files. */
const built = {
  ...((await import(dist('index.js'))) as typeof import('../../../src/index.js')),
  ...((await import(dist('undici.js'))) as typeof import('../../../src/undici/dispatcher.js')),
}

type Route = Partial<NonNullable<ProxyConfig['routes']>[number]>

async function mesh(endpoints: string[], route: Route = {}, listener: object = {}) {
  const proxy = await startEmbeddedProxy({
    listeners: [{ name: 'calls', address: 'memory', ...listener }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }], ...route }],
    clusters: [{ name: 'app', endpoints }],
  })
  proxies.push(proxy)
  const dispatcher = createDispatcher(proxy, { listener: 'calls' })
  dispatchers.push(dispatcher)
  return { proxy, dispatcher }
}

test('fetch and request of undici, and that of Node itself, go through the routes of the listener', async () => {
  const [shop, stock] = [await Upstream.start('shop'), await Upstream.start('stock')]
  const proxy = await startEmbeddedProxy({
    listeners: [{ name: 'calls', address: 'memory' }],
    routes: [
      { name: 'shop', hosts: ['shop'], forward: [{ cluster: 'shop' }] },
      {
        name: 'stock',
        hosts: ['stock.local'],
        forward: [{ cluster: 'stock' }],
        responseHeaders: { set: { 'x-route': 'stock' } },
      },
    ],
    clusters: [
      { name: 'shop', endpoints: [shop.address] },
      { name: 'stock', endpoints: [stock.address] },
    ],
  } as ProxyConfig)
  proxies.push(proxy)
  expect(proxy.address('calls')).toEqual({ host: 'memory', port: 0 })
  const dispatcher = createDispatcher(proxy, { listener: 'calls' })
  dispatchers.push(dispatcher)

  const fetched = await fetch('http://shop/anything?x=1', { dispatcher })
  expect([fetched.status, fetched.headers.get('x-upstream'), await fetched.text()]).toEqual([200, 'shop', 'shop\n'])
  const asked = await request('http://stock.local:8080/', { dispatcher, query: { a: 'b c' } })
  expect([asked.statusCode, asked.headers['x-route'], await asked.body.text()]).toEqual([200, 'stock', 'stock\n'])
  const platform = await globalThis.fetch('http://shop/bytes/5', { dispatcher } as unknown as RequestInit)
  expect([platform.headers.get('content-length'), (await platform.arrayBuffer()).byteLength]).toEqual(['5', 5])
  const nowhere = await fetch('http://other/', { dispatcher })
  expect([nowhere.status, nowhere.headers.get('proxy-status')]).toEqual([
    404,
    expect.stringContaining('destination_not_found'),
  ])
  expect(proxy.stats().listeners.calls?.requests).toBe(4)
})

test('a body arrives whole in every form that undici takes', async () => {
  const upstream = await Upstream.start()
  const { dispatcher } = await mesh([upstream.address])
  const big = pattern(3_000_000)
  async function* pieces() {
    for (let at = 0; at < big.length; at += 70_001) yield big.subarray(at, at + 70_001)
  }
  const form = new FormData()
  form.set('name', 'value')
  const cases: [Dispatcher.DispatchOptions['body'] | object, string | null, string | undefined][] = [
    ['text ü', sha256('text ü'), '7'],
    [big, sha256(big), '3000000'],
    [new Uint8Array([1, 2, 3]), sha256(Buffer.from([1, 2, 3])), '3'],
    [Readable.from(pieces()), sha256(big), undefined],
    [pieces(), sha256(big), undefined],
    [new Blob(['blob'], { type: 'text/x' }), sha256('blob'), '4'],
    [form, null, undefined],
    ['', sha256(''), '0'],
    [null as never, sha256(''), '0'],
  ]
  for (const [body, hash, length] of cases) {
    const { statusCode, body: answered } = await request('http://app/hash', {
      dispatcher,
      method: 'POST',
      body: body as Readable,
    })
    const received = (await answered.json()) as Received
    expect(statusCode).toBe(200)
    if (hash !== null) expect(received.sha256).toBe(hash)
    expect(received.headers['content-length']).toBe(length)
  }
  const announced = await request('http://app/hash', {
    dispatcher,
    method: 'PUT',
    headers: ['content-length', '3000000', 'X-One', '1'],
    body: Readable.from(pieces()),
  })
  const received = (await announced.body.json()) as Received
  expect([received.sha256, received.headers['content-length'], received.headers['x-one']]).toEqual([
    sha256(big),
    '3000000',
    '1',
  ])
  const short = request('http://app/hash', {
    dispatcher,
    method: 'PUT',
    headers: { 'content-length': '4' },
    body: Readable.from(['abc']),
  })
  await expect(short).rejects.toMatchObject({ code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' })
  const uploaded = await fetch('http://app/hash', { dispatcher, method: 'POST', body: form })
  expect(((await uploaded.json()) as Received).headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
})

test('what fails is retried as the route says, and the application sees the last answer only', async () => {
  const scripted = await ScriptedUpstream.open()
  const retry = { retries: 2, on: ['5xx'], backoff: { base: '1ms' } }
  const { dispatcher, proxy } = await mesh([`127.0.0.1:${scripted.port}`], { retry } as Route)
  const asked = fetch('http://app/thing', { dispatcher })
  const wire = await scripted.next()
  for (const status of ['503 Busy', '500 Oops']) {
    await readRequest(wire)
    await wire.send(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`)
  }
  await readRequest(wire)
  await wire.send(answer())
  expect((await asked).status).toBe(200)
  expect(proxy.stats().counters.weft_retries_total).toBe(2)
})

test('HEAD, 204, 304 and 1xx answers are told as they are', async () => {
  const scripted = await ScriptedUpstream.open()
  const { dispatcher } = await mesh([`127.0.0.1:${scripted.port}`])
  const infos: unknown[] = []
  const ask = (method: Dispatcher.HttpMethod) =>
    request('http://app/', {
      dispatcher,
      method,
      onInfo: ({ statusCode, headers }) => infos.push([statusCode, headers.link]),
    })
  const answers = [
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n', 200, '999'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204, undefined],
    ['GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n', 304, '7'],
    ['GET', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', 200, '2'],
  ] as const
  const first = ask('HEAD')
  const wire = await scripted.next()
  let next = first
  for (const [at, [method, bytes, status, length]] of answers.entries()) {
    const asked = at === 0 ? next : ask(method)
    await readRequest(wire)
    await wire.send(bytes)
    const { statusCode, headers, body } = await asked
    expect([statusCode, headers['content-length']]).toEqual([status, length])
    expect(await body.text()).toBe(status === 200 && method === 'GET' ? 'ok' : '')
    next = asked
  }
  expect(infos).toEqual([[103, '</a>']])
})

test('an answer that is not read stops its endpoint, and goes on when it is', async () => {
  const upstream = await Upstream.start()
  const sockets: Socket[] = []
  upstream.server.on('connection', (socket) => sockets.push(socket))
  const { dispatcher } = await mesh([upstream.address])
  const size = 64_000_000
  const { body } = await request(`http://app/bytes/${size}`, { dispatcher })
  const written = await settled(sockets)
  expect(written).toBeLessThan(size / 2)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of body) {
    hash.update(chunk)
    bytes += chunk.length
  }
  expect(bytes).toBe(size)
})

/** Bytes that the service's connections have been able to send, once that does not change any more. */
async function settled(sockets: Socket[]): Promise<number> {
  let [before, same] = [-1, 0]
  const look = () => {
    const sent = sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
    same = sent === before ? same + 1 : 0
    before = sent
    return same
  }
  await expect.poll(look, { interval: 20, timeout: 10_000 }).toBeGreaterThan(10)
  return before
}

test('an aborted request is given up at its endpoint, and the record says so', async () => {
  const upstream = await Upstream.start()
  const { dispatcher, proxy } = await mesh([upstream.address])
  const abort = new AbortController()
  const asked = fetch('http://app/hold', { dispatcher, signal: abort.signal })
  const held = await upstream.held()
  const gone = once(held.response, 'close')
  abort.abort()
  await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
  await gone
  const midway = new AbortController()
  const streaming = await fetch('http://app/bytes/50000000', { dispatcher, signal: midway.signal })
  const reader = streaming.body?.getReader()
  await reader?.read()
  midway.abort()
  await expect(reader?.read()).rejects.toMatchObject({ name: 'AbortError' })
  await expect.poll(() => open(proxy), { timeout: 5_000 }).toBe(0)
})

const open = (proxy: WeftProxy) => proxy.stats().counters.weft_requests_active

test('an answer that breaks off is an error of undici, never a short body', async () => {
  for (const head of ['content-length: 10\r\n', 'transfer-encoding: chunked\r\n']) {
    const scripted = await ScriptedUpstream.open()
    const { dispatcher } = await mesh([`127.0.0.1:${scripted.port}`])
    const asked = request('http://app/', { dispatcher })
    const wire = await scripted.next()
    await readRequest(wire)
    await wire.send(`HTTP/1.1 200 OK\r\n${head}\r\n${head.startsWith('t') ? '3\r\nabc\r\n' : 'abc'}`)
    const { body } = await asked
    wire.close()
    await expect(body.text()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
  }
})

test('an early answer ends the upload', async () => {
  const scripted = await ScriptedUpstream.open()
  const { dispatcher } = await mesh([`127.0.0.1:${scripted.port}`])
  const upload = new Readable({ read() {} })
  upload.push('begin')
  const asked = request('http://app/', { dispatcher, method: 'POST', body: upload })
  const wire = await scripted.next()
  await wire.takeThrough('begin')
  await wire.send('HTTP/1.1 413 Too Much\r\ncontent-length: 2\r\n\r\nno')
  const { statusCode, body } = await asked
  expect([statusCode, await body.text()]).toEqual([413, 'no'])
  expect(upload.destroyed).toBe(true)
})

test('what must not be sent is refused before it is', async () => {
  const upstream = await Upstream.start()
  const { dispatcher } = await mesh([upstream.address])
  const refused = async (url: string, options: object) => {
    const error = await request(url, { dispatcher, ...options }).then(
      () => null,
      (error: Error & { code: string }) => error.code,
    )
    return error
  }
  for (const [url, options] of [
    ['http://app/', { headers: { 'x-a': 'b\r\nx-c: d' } }],
    ['http://app/', { headers: { 'x-a': '\u010d\u010a' } }],
    ['http://app/', { headers: { 'x a': 'b' } }],
    ['http://app/', { headers: { 'transfer-encoding': 'chunked' } }],
    ['http://app/', { headers: { upgrade: 'h2c' } }],
    ['http://app/', { headers: ['host', 'a', 'Host', 'b'] }],
    ['https://app/', {}],
    ['http://app/', { method: 'GET /' }],
    ['http://app/', { method: 'POST', body: Readable.from([{ not: 'bytes' }]) }],
  ] as const) {
    expect([options, await refused(url, options)]).toEqual([options, 'UND_ERR_INVALID_ARG'])
  }
  for (const options of [{ method: 'CONNECT' }, { method: 'GET', upgrade: 'websocket' }] as const) {
    const error = await new Promise<Error>((onError) =>
      dispatcher.dispatch({ origin: 'http://app', path: '/', ...options }, { onError }),
    )
    expect(error).toMatchObject({ code: 'UND_ERR_NOT_SUPPORTED' })
  }
  expect(await refused('http://app/', { headers: { expect: '100-continue' } })).toBe('UND_ERR_NOT_SUPPORTED')
  expect(upstream.requests).toBe(0)
})

test('the timeouts of a request and the limits of the listener hold', async () => {
  const upstream = await Upstream.start()
  const { dispatcher } = await mesh([upstream.address], {}, { limits: { maxRequestBytes: '1KiB' } })
  const late = request('http://app/hold', { dispatcher, headersTimeout: 30 })
  await expect(late).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' })
  const begun = request('http://app/hold', { dispatcher, bodyTimeout: 30 })
  await upstream.held()
  const { response } = await upstream.held()
  response.write('a')
  await expect((await begun).body.text()).rejects.toMatchObject({ code: 'UND_ERR_BODY_TIMEOUT' })
  const large = await request('http://app/hash', { dispatcher, method: 'POST', body: 'x'.repeat(1025) })
  expect([large.statusCode, await large.body.text()]).toEqual([413, expect.stringContaining('maxRequestBytes')])
})

test('both styles of handlers are told the same', async () => {
  const upstream = await Upstream.start()
  const { dispatcher } = await mesh([upstream.address])
  const told: unknown[] = []
  const present = new Promise<void>((resolve, reject) =>
    dispatcher.dispatch(
      { origin: 'http://app', path: '/bytes/300000', method: 'GET' },
      {
        onRequestStart: () => told.push('start'),
        onResponseStart: (controller, status, headers, reason) => {
          told.push([status, headers['content-length'], reason])
          controller.pause()
          setImmediate(() => controller.resume())
        },
        onResponseData: (_, chunk) => {
          bytes += chunk.length
        },
        onResponseEnd: () => resolve(),
        onResponseError: (_, error) => reject(error),
      },
    ),
  )
  let bytes = 0
  await present
  expect([told, bytes]).toEqual([['start', [200, '300000', 'OK']], 300_000])
  let earlier = 0
  await new Promise<void>((resolve, reject) => {
    let resume = () => {}
    dispatcher.dispatch(
      { origin: 'http://app', path: '/bytes/300000', method: 'GET' },
      {
        onConnect: () => {},
        onHeaders: (_status, _headers, goOn) => {
          resume = goOn
          return true
        },
        onData: (chunk) => {
          earlier += chunk.length
          setImmediate(resume)
          return false
        },
        onComplete: () => resolve(),
        onError: reject,
      },
    )
  })
  expect(earlier).toBe(300_000)
})

test('a handler that throws ends its own request alone', async () => {
  const upstream = await Upstream.start()
  const { dispatcher, proxy } = await mesh([upstream.address])
  const error = await new Promise<Error>((resolve) =>
    dispatcher.dispatch(
      { origin: 'http://app', path: '/bytes/9', method: 'GET' },
      {
        onConnect: () => {},
        onHeaders: () => {
          throw new Error('mine')
        },
        onData: () => true,
        onComplete: () => {},
        onError: resolve,
      },
    ),
  )
  expect(error.message).toBe('mine')
  expect((await fetch('http://app/', { dispatcher })).status).toBe(200)
  await expect.poll(() => open(proxy)).toBe(0)
})

test('close waits for what is open, destroy does not, and neither takes more', async () => {
  const upstream = await Upstream.start()
  const { proxy, dispatcher } = await mesh([upstream.address])
  const asked = fetch('http://app/hold', { dispatcher })
  const held = await upstream.held()
  const closed = dispatcher.close()
  await expect(request('http://app/', { dispatcher })).rejects.toMatchObject({ code: 'UND_ERR_CLOSED' })
  held.response.end('done')
  expect(await (await asked).text()).toBe('done')
  await closed
  const other = createDispatcher(proxy, { listener: 'calls' })
  const lost = request('http://app/hold', { dispatcher: other })
  await upstream.held()
  await Promise.all([other.destroy(), expect(lost).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' })])
})

test('ten thousand requests leave no handle, no descriptor and no exchange behind', async () => {
  const upstream = await Upstream.start()
  const { dispatcher, proxy } = await mesh([upstream.address])
  const run = async (count: number) => {
    let left = count
    const one = async () => {
      while (left-- > 0) await (await request('http://app/bytes/100', { dispatcher })).body.dump()
    }
    await Promise.all(Array.from({ length: 20 }, one))
    await turnOfLoop()
  }
  const held = () => [process.getActiveResourcesInfo().length, readdirSync('/proc/self/fd').length, open(proxy)]
  await run(500)
  const before = held()
  await run(10_000)
  for (const [at, count] of held().entries()) expect(count).toBeLessThanOrEqual(before[at] ?? 0)
  expect(upstream.requests).toBe(10_500)
})

test('a dispatcher needs a proxy of this loop that has the listener', async () => {
  const upstream = await Upstream.start()
  const { proxy } = await mesh([upstream.address])
  expect(() => createDispatcher(proxy, { listener: 'none' })).toThrow(/no listener named "none"/)
  expect(() => createDispatcher({} as WeftProxy, { listener: 'calls' })).toThrow(/no proxy/)
  const config: ProxyConfig = {
    listeners: [{ name: 'calls', address: 'memory' }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
    clusters: [{ name: 'app', endpoints: [upstream.address] }],
  }
  const threads = await built.startProxy(config, { workers: 1 })
  proxies.push(threads)
  expect(() => built.createDispatcher(threads, { listener: 'calls' })).toThrow(/on threads/)
})

test('a program stays for its requests, also while only a retry waits, and ends by itself after them', async () => {
  const scripted = await ScriptedUpstream.open()
  const program = `
    import { startProxy } from ${JSON.stringify(dist('index.js'))}
    import { createDispatcher } from ${JSON.stringify(dist('undici.js'))}
    const proxy = await startProxy({
      listeners: [{ name: 'calls', address: 'memory' }],
      routes: [{ name: 'all', forward: [{ cluster: 'app' }], retry: { retries: 1, on: ['5xx'], backoff: { base: '200ms' } } }],
      clusters: [{ name: 'app', endpoints: ['127.0.0.1:${scripted.port}'] }],
    })
    const dispatcher = createDispatcher(proxy, { listener: 'calls' })
    const { request } = await import(${JSON.stringify(import.meta.resolve('undici'))})
    const { statusCode, body } = await request('http://app/', { dispatcher })
    console.log(statusCode, await body.text())
    await proxy.close()
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  for (const bytes of ['HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n', answer('served')]) {
    const early = ended.then(([code]) =>
      Promise.reject(new Error(`the program ended with ${code} before its request did`)),
    )
    const wire = await Promise.race([scripted.next(), early])
    early.catch(() => {})
    await readRequest(wire)
    await wire.send(bytes)
    wire.finish()
  }
  expect([(await ended)[0], output]).toEqual([0, '200 served\n'])
})
