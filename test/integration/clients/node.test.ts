/** Node's clients through the proxy: undici (pool, pipelining, streams) and node:http with its agent. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { Writable } from 'node:stream'
import { Client, Pool } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { closeUpstreams, type Received, Upstream } from '../../kit/http-upstream.js'
import { pattern, patternHash, patternStream, sha256 } from '../../kit/pattern.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

let proxy: ProxyProcess
let upstream: Upstream

beforeAll(async () => {
  upstream = await Upstream.start()
  proxy = await ProxyProcess.start(upstream.address)
})

afterAll(async () => {
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

it('undici: a pool of 16 connections carries 2,000 requests of many sizes', async () => {
  const pool = new Pool(proxy.url, { connections: 16 })
  const sizes = Array.from({ length: 2000 }, (_, n) => (n * 7919) % 100_000)
  const hashes = new Map(sizes.map((size) => [size, patternHash(size)]))
  await Promise.all(
    sizes.map(async (size, n) => {
      const { statusCode, body } = await pool.request({
        path: `/${n % 2 ? 'bytes' : 'chunked'}/${size}`,
        method: 'GET',
      })
      expect([statusCode, sha256(Buffer.from(await body.arrayBuffer()))]).toEqual([200, hashes.get(size)])
    }),
  )
  await pool.close()
})

it('undici: pipelined requests are answered in their order', async () => {
  const client = new Client(proxy.url, { pipelining: 10 })
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const { body } = await client.request({ path: `/hash?n=${n}`, method: 'GET' })
      return ((await body.json()) as Received).url
    }),
  )
  expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => `/hash?n=${n}`))
  await client.close()
})

it('undici: streams 20 MB up and 20 MB down at the same time', async () => {
  const pool = new Pool(proxy.url)
  const bytes = 20_000_000
  const hash = createHash('sha256')
  const sink = new Writable({
    write(data, _, done) {
      hash.update(data)
      done()
    },
  })
  const [up] = await Promise.all([
    pool.request({ path: '/hash', method: 'PUT', body: patternStream(bytes) }).then(({ body }) => body.json()),
    pool.stream({ path: `/chunked/${bytes}`, method: 'GET' }, () => sink),
  ])
  expect(up).toMatchObject({ bytes, sha256: patternHash(bytes) })
  expect(hash.digest('hex')).toBe(patternHash(bytes))
  await pool.close()
})

it('node:http: an agent keeps its connection, chunks and trailers pass both ways', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const ports = new Set<number | undefined>()
  for (let n = 0; n < 20; n++) {
    const request = http.request(`${proxy.url}/hash`, { agent, method: 'POST', headers: { trailer: 'x-sum' } })
    request.write(pattern(50_000))
    request.addTrailers({ 'x-sum': String(n) })
    request.end()
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    const received = JSON.parse(Buffer.concat(await response.toArray()).toString()) as Received
    expect(received).toMatchObject({ bytes: 50_000, sha256: patternHash(50_000), trailers: { 'x-sum': String(n) } })
    ports.add(request.socket?.localPort)
  }
  expect(ports.size).toBe(1)
  agent.destroy()
})

it('node:http: 103 Early Hints and 102 Processing are passed on before the answer', async () => {
  const request = http.get(`${proxy.url}/hold`)
  const informed: number[] = []
  request.on('information', ({ statusCode }) => informed.push(statusCode))
  const { response: answer } = await upstream.held()
  answer.writeProcessing()
  answer.writeEarlyHints({ link: '</style.css>; rel=preload' })
  await expect.poll(() => informed).toEqual([102, 103])
  answer.end('late')
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  expect(Buffer.concat(await response.toArray()).toString()).toBe('late')
})

it('node:http: an upstream that answers before the upload has ended is heard at once', async () => {
  const request = http.request(`${proxy.url}/hold`, { method: 'POST' })
  request.on('error', () => {}) // the connection may be closed while the rest of the body is still being written
  request.write('first part')
  const { response: answer } = await upstream.held()
  answer.writeHead(413, { 'content-length': 3 }).end('no\n')
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  expect(response.statusCode).toBe(413)
  expect(Buffer.concat(await response.toArray()).toString()).toBe('no\n')
  request.destroy()
})
