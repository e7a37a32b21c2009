/** `bandwidth-limit` over real sockets: as fast as configured, all exchanges together, and framed as before. */
import { request as ask } from 'undici'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { readHead, request, value } from '../../kit/h1-message.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { Wire } from '../../kit/wire.js'

let upstream: Upstream

beforeAll(async () => {
  upstream = await Upstream.start()
})
afterEach(endPrograms)
afterAll(closeUpstreams)

function start(bytesPerSecond: string, more: object = {}) {
  const filters = [{ type: 'bandwidth-limit', bytesPerSecond, ...more }]
  return ProxyProcess.start(upstream.address, { listener: { filters } })
}

/** Seconds that it takes. */
async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1_000
}

test('three downloads at once get together what one alone would, and keep their length', async () => {
  const proxy = await start('1MiB')
  const bytes = 2 ** 20
  const get = async () => {
    const { body, headers } = await ask(`${proxy.url}/bytes/${bytes}`)
    expect(headers).toMatchObject({ 'content-length': String(bytes) })
    expect((await body.arrayBuffer()).byteLength).toBe(bytes)
  }
  const took = await seconds(() => Promise.all([get(), get(), get()]))
  // Never faster; a busy machine may make it slower.
  expect(took).toBeGreaterThan(2.85)
  expect(took).toBeLessThan(3.6)
  expect((await proxy.stats()).counters.weft_bandwidth_limited_total).toBe(3)
})

test('an upload is slowed down as well, with a length or in chunks, and each way has its own bytes', async () => {
  const proxy = await start('512KiB')
  const put = async (body: Buffer | Readonly<AsyncIterable<Buffer>>) => {
    const answer = await ask(`${proxy.url}/hash`, { method: 'PUT', body: body as Buffer })
    expect(await answer.body.json()).toMatchObject({ bytes: 2 ** 20 })
  }
  async function* chunks() {
    for (let turn = 0; turn < 256; turn += 1) yield Buffer.alloc(4096, 'x')
  }
  const work = () =>
    Promise.all([put(Buffer.alloc(2 ** 20)), ask(`${proxy.url}/bytes/524288`).then((a) => a.body.text())])
  const took = await seconds(work)
  expect(took).toBeGreaterThan(1.9)
  expect(took).toBeLessThan(2.7)
  expect(await seconds(() => put(chunks() as never))).toBeGreaterThan(1.9)
})

test('a direction that is not limited is not slowed down', async () => {
  const proxy = await start('64KiB', { direction: 'request' })
  expect(await seconds(async () => (await ask(`${proxy.url}/bytes/1048576`)).body.text())).toBeLessThan(2)
})

test('at a low rate bytes come steadily, and a client that leaves is let go', async () => {
  const proxy = await start('2KiB')
  const client = await Wire.connect(proxy.port)
  const took = await seconds(async () => {
    await client.send(request('GET /bytes/100000'))
    expect(value(await readHead(client), 'content-length')).toBe('100000')
    await client.until(() => client.unread.length > 0, 'the first bytes')
  })
  expect(took).toBeLessThan(1)
  const first = client.unread.length
  expect(first).toBeLessThan(2_048)
  const rest = await seconds(() => client.until(() => client.unread.length >= first + 4_096, 'two seconds of bytes'))
  expect(rest).toBeGreaterThan(1.8)
  expect(rest).toBeLessThan(3)
  client.close()
  await expect.poll(async () => (await proxy.stats()).counters.weft_requests_active, { timeout: 5_000 }).toBe(0)
})
