/**
 * Filters that see bodies, in place, between real clients and a real endpoint: what arrives, how it is framed, and what
 * becomes of an exchange whose filter fails.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { defineFilter, type FilterDefinition } from '../../../src/filters/definition.js'
import { type RunningProxy, startProxy } from '../../../src/proxy/start-proxy.js'
import { MemoryLogger } from '../../kit/fake-engine.js'
import { answer, readAnswer, readHead, readRequest, request, value } from '../../kit/h1-message.js'
import { closeUpstreams, type Received, Upstream } from '../../kit/http-upstream.js'
import { patternBlocks, patternHash } from '../../kit/pattern.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { Wire } from '../../kit/wire.js'

const tenMiB = 10 * 1024 * 1024
let first: Upstream
let second: Upstream
let scripted: ScriptedUpstream
let proxy: RunningProxy | undefined
const agent = new Agent({ keepAlive: true })

beforeAll(async () => {
  first = await Upstream.start('first')
  second = await Upstream.start('second')
  scripted = await ScriptedUpstream.open()
})

afterEach(() => scripted.clear())

afterAll(async () => {
  agent.destroy()
  await proxy?.close()
  await closeUpstreams()
  await scripted.close()
})

type Phases = Omit<FilterDefinition, 'name'>

/** The same proxy with other filters, the first one the listener's. */
async function serve(phases: Phases[], cluster: 'first' | 'scripted' = 'first', more: object = {}): Promise<number> {
  const filters = phases.map((each, place) => defineFilter({ name: `f${place}`, ...each } as FilterDefinition))
  const config = {
    listeners: [{ name: 'edge', address: '127.0.0.1:0', filters, limits: { maxConnections: 50, ...more } }],
    routes: [
      {
        name: 'all',
        forward: [{ cluster }],
        retry: {
          ...{ retries: 2, on: ['retriable-status-codes'], statusCodes: [503] },
          backoff: { base: '1ms', max: '1ms' },
        },
      },
    ],
    clusters: [
      { name: 'first', endpoints: [first.address] },
      { name: 'second', endpoints: [second.address] },
      { name: 'scripted', endpoints: [`127.0.0.1:${scripted.port}`] },
    ],
  }
  if (proxy === undefined) proxy = await startProxy(config as never, { workers: 0, logger: new MemoryLogger() })
  else await proxy.apply(config as never)
  return (proxy as RunningProxy).address('edge').port
}

interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string | Readable
}

async function ask(port: number, { method = 'POST', path = '/hash', headers = {}, body = '' }: Asked = {}) {
  const asked = httpRequest({ host: '127.0.0.1', port, agent, method, path, headers })
  if (body instanceof Readable) body.pipe(asked)
  else asked.end(body)
  const [answered] = (await once(asked, 'response')) as [IncomingMessage]
  const hash = createHash('sha256')
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answered) {
    hash.update(part)
    bytes += part.length
    if (bytes < 65_536) parts.push(part)
  }
  const data = Buffer.concat(parts)
  const { statusCode, headers: answerHeaders, trailers } = answered
  return {
    status: statusCode,
    headers: answerHeaders,
    trailers,
    bytes,
    data,
    text: data.toString(),
    sha256: hash.digest('hex'),
  }
}

/** What the record of the newest exchange says of the filters. */
function told(): string {
  const [newest] = (proxy as RunningProxy).records({ limit: 1 } as never).records
  return (newest as unknown as { detail: string }).detail
}

const received = ({ text }: { text: string }) => JSON.parse(text) as Received
const inverted = (data: Uint8Array) => data.map((byte) => byte ^ 0xff)

/** Each byte turned over: the same length, every byte another. */
const invert: Phases = {
  ...{ requestBody: 'stream', responseBody: 'stream' },
  onRequestBody: ({ data }) => inverted(data),
  onResponseBody: ({ data }) => inverted(data),
}

function invertedHash(bytes: number): string {
  const hash = createHash('sha256')
  for (const block of patternBlocks(bytes)) hash.update(inverted(block))
  return hash.digest('hex')
}

describe('a body that streams', () => {
  it('is changed part by part on its way to the endpoint, 10 MiB with a length and in chunks', async () => {
    const port = await serve([invert, { onRequest: ({ headers }) => headers.set('x-plain', 'yes') }])
    for (const headers of [{ 'content-length': `${tenMiB}` }, {}] as Record<string, string>[]) {
      const sent = await ask(port, { headers, body: Readable.from(patternBlocks(tenMiB), { objectMode: false }) })
      const what = received({ text: Buffer.from(inverted(sent.data)).toString() })
      expect(what).toMatchObject({ bytes: tenMiB, sha256: invertedHash(tenMiB) })
      expect(what.headers).toMatchObject({ 'transfer-encoding': 'chunked', 'x-plain': 'yes' })
      expect(what.headers['content-length']).toBeUndefined()
    }
  })

  it('is changed part by part on its way to the client, and keeps its trailers', async () => {
    const port = await serve([invert])
    for (const [path, trailer] of [
      [`/bytes/${tenMiB}`, undefined],
      [`/chunked/${tenMiB}`, 'yes'],
    ] as const) {
      const got = await ask(port, { method: 'GET', path })
      expect(got).toMatchObject({ status: 200, bytes: tenMiB, sha256: invertedHash(tenMiB) })
      expect(got.headers['content-length']).toBeUndefined()
      expect(got.trailers['x-end']).toBe(trailer)
    }
  })

  it('is whole again behind two filters that undo each other, and one that only looks', async () => {
    const seen: number[] = []
    const look: Phases = { responseBody: 'stream', onResponseBody: ({ data }) => void seen.push(data.length) }
    const port = await serve([invert, look, invert])
    const got = await ask(port, { method: 'GET', path: `/chunked/${tenMiB}` })
    expect(got.sha256).toBe(patternHash(tenMiB))
    expect(seen.reduce((sum, bytes) => sum + bytes)).toBe(tenMiB)
  })

  it('is not seen where there is none', async () => {
    const calls: unknown[] = []
    const count = (body: unknown) => void calls.push(body)
    const port = await serve([
      { requestBody: 'stream', responseBody: 'stream', onRequestBody: count, onResponseBody: count },
    ])
    expect((await ask(port, { method: 'HEAD', path: '/bytes/1000' })).headers['content-length']).toBe('1000')
    expect((await ask(port, { method: 'GET', path: '/status/204' })).status).toBe(204)
    expect((await ask(port, { method: 'GET', path: '/status/304' })).status).toBe(304)
    expect(calls).toEqual([])
  })
})

describe('a body that is buffered', () => {
  const redact: Phases = {
    onRequestBody(body) {
      const { password: _gone, ...rest } = body.json() as Record<string, unknown>
      body.request.headers.set('x-fields', Object.keys(rest).join())
      return JSON.stringify(rest)
    },
    onResponseBody(body) {
      body.response.headers.set('x-redacted', 'yes')
      body.response.status = 203
      return body.text().replaceAll(/"sha256":"[^"]*"/g, '"sha256":"-"')
    },
  }

  it('goes on with its new length, with headers and a status that say what was found in it', async () => {
    const port = await serve([redact])
    const body = JSON.stringify({ user: 'a', password: 'b' })
    for (const headers of [{ 'content-length': `${body.length}` }, { 'transfer-encoding': 'chunked' }] as const) {
      const got = await ask(port, { headers, body })
      expect(got).toMatchObject({ status: 203, headers: { 'x-redacted': 'yes' } })
      expect(Number(got.headers['content-length'])).toBe(got.bytes)
      expect(received(got)).toMatchObject({ bytes: '{"user":"a"}'.length, sha256: '-' })
      expect(received(got).headers).toMatchObject({ 'content-length': '12', 'x-fields': 'user' })
    }
  })

  it('lets the filter answer itself or choose the cluster before the request goes anywhere', async () => {
    const before = first.requests
    const port = await serve([
      {
        onRequestBody(body) {
          if (body.text() === 'bad') return { status: 422, body: 'not this' }
          body.request.useCluster('second')
        },
      },
    ])
    expect(await ask(port, { body: 'bad' })).toMatchObject({ status: 422, text: 'not this' })
    expect((await ask(port, { body: 'good' })).headers['x-upstream']).toBe('second')
    expect(first.requests).toBe(before)
  })

  it('that is longer than it may be is a 413 in a request, and in an answer a 500 that names the bound', async () => {
    const seen: number[] = []
    const look = ({ data }: { data: Uint8Array }) => void seen.push(data.length)
    const port = await serve([{ maxBodyBytes: 1000, onRequestBody: look, onResponseBody: look }])
    for (const headers of [{ 'content-length': '1001' }, {}] as Record<string, string>[]) {
      const refused = await ask(port, { headers, body: 'x'.repeat(1001) })
      expect(refused.status).toBe(413)
      expect(refused.text).toContain('maxBodyBytes')
    }
    for (const path of ['/bytes/1001', '/chunked/1001']) {
      const refused = await ask(port, { method: 'GET', path })
      expect(refused.status).toBe(500)
      expect(refused.headers['proxy-status']).toContain('the filter `f0` failed')
      expect(told()).toContain('maxBodyBytes')
    }
    expect((await ask(port, { method: 'GET', path: '/chunked/1000' })).bytes).toBe(1000)
    expect(seen).toEqual([1000])
  })

  it('is asked for with a 100 by the proxy itself, and the endpoint is not asked', async () => {
    const port = await serve([{ onRequestBody: () => undefined }], 'scripted')
    const client = await Wire.connect(port)
    await client.send(request('POST /', ['Content-Length: 3', 'Expect: 100-continue']))
    expect((await readHead(client)).start).toMatch(/^HTTP\/1\.1 100 /)
    await client.send('abc')
    const endpoint = await scripted.next()
    const asked = await readRequest(endpoint)
    expect([asked.body, value(asked, 'expect')]).toEqual(['abc', undefined])
    await endpoint.send(answer('ok'))
    expect((await readAnswer(client)).body).toBe('ok')
  })

  it('is replayed by a retry as the filter left it, which has run once', async () => {
    let runs = 0
    const port = await serve(
      [
        {
          onRequestBody(body) {
            runs += 1
            return body.text().toUpperCase()
          },
        },
      ],
      'scripted',
    )
    const client = await Wire.connect(port)
    await client.send(request('PUT /', [], 'abc'))
    for (const status of [503, 200]) {
      const endpoint = await scripted.next()
      expect((await readRequest(endpoint)).body).toBe('ABC')
      await endpoint.send(`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    }
    expect((await readAnswer(client)).status).toBe(200)
    expect(runs).toBe(1)
  })

  it('keeps trailers, and the next request of a pipeline behind it', async () => {
    const port = await serve([{ onRequestBody: (body) => `${body.text()}!` }], 'scripted')
    const client = await Wire.connect(port)
    const chunks = '3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n'
    await client.send(`${request('POST /1', ['Transfer-Encoding: chunked'])}${chunks}${request('GET /2')}`)
    const endpoint = await scripted.next()
    expect(await readRequest(endpoint)).toMatchObject({ body: 'abcde!', trailers: 'X-Sum: 5\r\n' })
    await endpoint.send(answer('one'))
    expect((await readAnswer(client)).body).toBe('one')
    expect((await readRequest(endpoint)).start).toBe('GET /2 HTTP/1.1')
    await endpoint.send(answer('two'))
    expect((await readAnswer(client)).body).toBe('two')
  })
})

describe('a filter that fails', () => {
  const boom = () => {
    throw new Error('boom')
  }
  const afterBytes = (limit: number) => {
    let left = limit
    return ({ data }: { data: Uint8Array }) => {
      left -= data.length
      if (left < 0) boom()
    }
  }

  it('at a whole body is a 500 that names it, whichever way the body goes', async () => {
    for (const phases of [{ onRequestBody: boom }, { onResponseBody: boom }]) {
      const port = await serve([phases])
      const got = await ask(port, { body: 'abc' })
      expect(got.status).toBe(500)
      expect(got.headers['proxy-status']).toContain('the filter `f0` failed')
    }
  })

  it('amid a request that streams is a 500, for no answer has begun', async () => {
    const port = await serve([{ requestBody: 'stream', onRequestBody: afterBytes(100_000) }])
    const asked = httpRequest({ host: '127.0.0.1', port, agent, method: 'POST', path: '/hash' })
    const answered = once(asked, 'response') as Promise<[IncomingMessage]>
    asked.on('error', () => {})
    Readable.from(patternBlocks(tenMiB), { objectMode: false }).pipe(asked)
    expect((await answered)[0].statusCode).toBe(500)
    asked.destroy()
  })

  it('amid an answer that streams breaks it off, so that the client cannot take it for whole', async () => {
    const port = await serve([{ responseBody: 'stream', onResponseBody: afterBytes(1_000_000) }])
    await expect(ask(port, { method: 'GET', path: `/bytes/${tenMiB}` })).rejects.toThrow('aborted')
    await serve([{ responseBody: 'stream', onResponseBody: afterBytes(1_000_000) }])
    const client = await Wire.connect(port)
    await client.send(`GET /bytes/${tenMiB} HTTP/1.0\r\nHost: a\r\n\r\n`)
    await client.takeRest()
    expect(client.ending).toBe('reset')
  })

  it('does not take what it holds with it: the next exchange finds everything free', async () => {
    const port = await serve([{ onRequestBody: () => undefined, responseBody: 'stream', onResponseBody: () => {} }])
    const client = await Wire.connect(port)
    await client.send(`${request('POST /hash', ['Content-Length: 100000'])}part`)
    const active = () => (proxy as RunningProxy).stats().counters.weft_requests_active
    await expect.poll(active).toBe(1)
    client.socket.resetAndDestroy()
    await expect.poll(active).toBe(0)
    expect((await ask(port, { body: 'abc' })).status).toBe(200)
  })
})
