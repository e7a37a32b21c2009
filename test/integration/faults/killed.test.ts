/** kill -9 on either side of an exchange: the other side is told by the end of its connection, never by a wrong end. */
import { once } from 'node:events'
import { truncateSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { clients } from '../../kit/clients.js'
import { askOnce } from '../../kit/connections.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, Program } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

async function brokenUpstream() {
  const upstream = new Program(process.execPath, [join(clients, 'broken_upstream.mjs')])
  const [, port] = await upstream.says(/port (\d+)/)
  return { upstream, proxy: await ProxyProcess.start(`127.0.0.1:${port}`) }
}

/** Flags of finished exchanges, as the statistics have them. */
async function flags(proxy: ProxyProcess): Promise<string[]> {
  return (await proxy.stats()).series.map(({ flag, status }) => `${status} ${flag}`)
}

it.for(['length', 'chunked'])('an upstream killed amid an answer (%s) breaks it off', async (framing) => {
  const { upstream, proxy } = await brokenUpstream()
  const { statusCode, body } = await request(`${proxy.url}/${framing}`)
  expect(statusCode).toBe(200)
  await upstream.says('sent')
  await upstream.kill()
  await expect(body.arrayBuffer()).rejects.toThrow(/closed|terminated|aborted/)
  expect(await flags(proxy)).toEqual(['200 UC'])
  expect(await proxy.stop()).toBe(0)
})

it('an upstream killed before it answers is a 503, and one that is gone too', async () => {
  const { upstream, proxy } = await brokenUpstream()
  const answer = request(`${proxy.url}/nothing`)
  await upstream.says('asked')
  await upstream.kill()
  expect((await answer).statusCode).toBe(503)
  expect((await request(proxy.url)).statusCode).toBe(503)
  expect(await flags(proxy)).toEqual(expect.arrayContaining(['503 UC', '503 UF']))
  expect(await proxy.stop()).toBe(0)
})

it('an upstream that comes back on its port is used at once', async () => {
  const first = await Upstream.start()
  const { port } = first
  const proxy = await ProxyProcess.start(first.address)
  let current = first
  for (let n = 0; n < 5; n++) {
    await askOnce(proxy.url)
    await current.close()
    current = await Upstream.start('again', port)
    // A pooled connection to the one before is not used, whatever the method.
    const { statusCode, headers } = await request(`${proxy.url}/hash`, {
      method: n % 2 ? 'POST' : 'GET',
      body: n % 2 ? 'x' : null,
    })
    expect([statusCode, headers['x-upstream']]).toEqual([200, 'again'])
  }
  expect(await proxy.stop()).toBe(0)
})

it('a client killed amid an upload ends the request upstream', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  const file = join(scratchFolder(), 'gigabyte')
  writeFileSync(file, '')
  truncateSync(file, 1e9)
  for (const framing of [[], ['-H', 'transfer-encoding: chunked']]) {
    const client = new Program('curl', ['-sS', '--limit-rate', '2M', '-T', file, ...framing, `${proxy.url}/hold`])
    const { request: received } = await upstream.held()
    let bytes = 0
    const failed = new Promise((resolve) => received.on('error', resolve))
    for await (const data of received.iterator({ destroyOnReturn: false })) {
      bytes += data.length
      if (bytes >= 300_000) break
    }
    await client.kill()
    expect(await failed).toMatchObject({ code: 'ECONNRESET' })
  }
  await expect.poll(async () => (await proxy.stats()).counters.weft_requests_active).toBe(0)
  expect(await flags(proxy)).toEqual(['0 DC'])
  expect(await proxy.stop()).toBe(0)
})

it('a client killed amid a download lets the upstream go', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  const client = new Program('curl', ['-sS', '--limit-rate', '100k', '-o', '/dev/null', `${proxy.url}/hold`])
  const { response } = await upstream.held()
  response.writeHead(200, { 'content-length': 1e9 })
  const closed = once(response, 'close')
  const fill = () => {
    while (!response.destroyed && response.write(Buffer.alloc(100_000)));
  }
  response.on('drain', fill).on('error', () => {})
  fill()
  await once(response, 'drain')
  await client.kill()
  await closed
  expect(response.writableFinished).toBe(false)
  await expect.poll(() => flags(proxy)).toEqual(['200 DC'])
  expect(await proxy.stop()).toBe(0)
})

it('a client that resets its connection while it waits lets the upstream go', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  const client = createConnection(proxy.port, '127.0.0.1')
  client.write('GET /hold HTTP/1.1\r\nhost: a\r\n\r\n')
  const { response } = await upstream.held()
  const closed = once(response, 'close')
  client.resetAndDestroy()
  await closed
  expect(await flags(proxy)).toEqual(['0 DC'])
  expect(await proxy.stop()).toBe(0)
})
