/** nginx on either side of the proxy. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, Pool, request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { closeUpstreams, type Received, Upstream } from '../../kit/http-upstream.js'
import { startNginx } from '../../kit/nginx.js'
import { pattern, patternHash, sha256 } from '../../kit/pattern.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** An nginx that passes everything on to the proxy, and the proxy with an upstream of node:http behind it. */
async function behindNginx(directives: string) {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  const http = `upstream weft { server 127.0.0.1:${proxy.port}; keepalive 8; }`
  const { address } = await startNginx(http, `location / { proxy_pass http://weft; ${directives} }`)
  return { proxy, url: `http://${address}` }
}

const kept = 'proxy_http_version 1.1; proxy_set_header Connection "";'

it('nginx as client: HTTP/1.1 with kept connections and unbuffered bodies', async () => {
  const { proxy, url } = await behindNginx(`${kept} proxy_request_buffering off; proxy_buffering off;`)
  const pool = new Pool(url, { connections: 8 })
  await Promise.all(
    Array.from({ length: 300 }, async (_, n) => {
      const { statusCode, body } = await pool.request({ path: `/chunked/${n * 500}`, method: 'GET' })
      expect([statusCode, sha256(Buffer.from(await body.arrayBuffer()))]).toEqual([200, patternHash(n * 500)])
    }),
  )
  const { body } = await pool.request({ path: '/hash', method: 'POST', body: pattern(2_000_000) })
  expect(await body.json()).toMatchObject({ bytes: 2_000_000, sha256: patternHash(2_000_000) })
  await pool.close()
  const { counters } = await proxy.stats()
  const opened = Object.entries(counters).find(([name]) => /downstream_connections(_total)?$/.test(name))?.[1]
  expect(opened, JSON.stringify(counters)).toBeLessThan(50)
  expect(await proxy.stop()).toBe(0)
})

it('nginx as client: HTTP/1.0 without keep-alive, as it proxies by default', async () => {
  const { proxy, url } = await behindNginx('')
  const answer = await request(`${url}/chunked/200000`)
  expect(sha256(Buffer.from(await answer.body.arrayBuffer()))).toBe(patternHash(200_000))
  const posted = (await (await request(`${url}/hash`, { method: 'POST', body: 'abc' })).body.json()) as Received
  expect(posted.sha256).toBe(sha256('abc'))
  expect(await proxy.stop()).toBe(0)
})

it('nginx as upstream: files, ranges, 304, compression, an early 413 and its own end of connections', async () => {
  const server =
    'keepalive_requests 3; gzip on; gzip_types *; gzip_proxied any; location /small { client_max_body_size 1k; }'
  const { address, root } = await startNginx('', server)
  writeFileSync(join(root, 'file'), pattern(3_000_000))
  const proxy = await ProxyProcess.start(address)
  const client = new Client(proxy.url)
  const get = (headers = {}) => client.request({ path: '/file', method: 'GET', headers })
  let tag = ''
  for (let n = 0; n < 10; n++) {
    const { headers, body } = await get()
    expect(sha256(Buffer.from(await body.arrayBuffer()))).toBe(patternHash(3_000_000))
    tag = String(headers.etag)
  }
  const part = await get({ range: 'bytes=1000-1999' })
  expect([part.statusCode, part.headers['content-range']]).toEqual([206, 'bytes 1000-1999/3000000'])
  expect(Buffer.from(await part.body.arrayBuffer())).toEqual(pattern(3000).subarray(1000, 2000))
  const unchanged = await get({ 'if-none-match': tag })
  expect([unchanged.statusCode, await unchanged.body.text()]).toEqual([304, ''])
  const packed = await get({ 'accept-encoding': 'gzip' })
  expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' })
  const unpacked = new Response(packed.body as unknown as ReadableStream).body?.pipeThrough(
    new DecompressionStream('gzip'),
  )
  expect(sha256(Buffer.from(await new Response(unpacked).arrayBuffer()))).toBe(patternHash(3_000_000))
  const refused = await request(`${proxy.url}/small`, { method: 'POST', body: pattern(100_000) })
  expect([refused.statusCode, (await refused.body.text()).includes('413')]).toEqual([413, true])
  await client.close()
  expect(await proxy.stop()).toBe(0)
})
