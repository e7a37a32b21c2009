/** `local-rate-limit` over real sockets: exact over all workers, kept over reloads, told to the client. */
import { request as ask } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { readAnswer, request } from '../../kit/h1-message.js'
import { holdings, ProxyProcess } from '../../kit/proxy-process.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { Wire } from '../../kit/wire.js'

const opened: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

/** Tokens that do not come back within a test. */
const slow = { refill: 1, every: '5h' }

async function start(filters: object[], config: object = {}, more: object = {}) {
  const upstream = await ScriptedUpstream.open()
  upstream.answerAll()
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, { listener: { filters }, config, ...more })
  opened.push(
    () => upstream.close(),
    () => proxy.stop(),
  )
  return { upstream, proxy }
}

/** How many of `count` requests over `connections` connections got which status. */
async function statuses(port: number, connections: number, count: number, lines: string[] = []) {
  const found: Record<number, number> = {}
  const each = count / connections
  const serve = async () => {
    const client = await Wire.connect(port)
    await client.send(request('GET /', lines).repeat(each))
    for (let turn = 0; turn < each; turn += 1) {
      const { status } = await readAnswer(client)
      found[status] = (found[status] ?? 0) + 1
    }
    client.close()
  }
  await Promise.all(Array.from({ length: connections }, serve))
  return found
}

test('four workers grant exactly the tokens of a bucket to ten thousand requests at once', async () => {
  const buckets = [{ name: 'all', tokens: 100, ...slow }]
  const { upstream, proxy } = await start([{ type: 'local-rate-limit', buckets }], { workers: 4 })
  expect(await statuses(proxy.port, 100, 10_000)).toEqual({ 200: 100, 429: 9_900 })
  expect(upstream.seen).toHaveLength(100)
  // Not the work of one worker: the others have written records too.
  const { workers } = (await (await fetch(`${proxy.admin}/stats?format=json`)).json()) as {
    workers: { records: number }[]
  }
  expect(workers.filter(({ records }) => records > 0).length).toBeGreaterThan(1)
})

test('every key has its own bucket, and a request without the key is not limited', async () => {
  const buckets = [{ name: 'per-client', key: [{ header: 'x-client' }], tokens: 3, ...slow }]
  const { proxy } = await start([{ type: 'local-rate-limit', buckets }])
  expect(await statuses(proxy.port, 1, 5, ['X-Client: a'])).toEqual({ 200: 3, 429: 2 })
  expect(await statuses(proxy.port, 1, 5, ['X-Client: b'])).toEqual({ 200: 3, 429: 2 })
  expect(await statuses(proxy.port, 1, 5)).toEqual({ 200: 5 })
})

test('identities have their own buckets, as far as a trusted proxy says who it saw', async () => {
  const buckets = [{ name: 'per-service', key: [{ identity: true }], tokens: 3, ...slow }]
  const filters = [{ type: 'local-rate-limit', buckets }]
  const { proxy } = await start(filters, {}, { listener: { filters, trustedHops: 1 } })
  const from = (account: string) => [
    `X-Forwarded-Client-Cert: URI=spiffe://m/sa/${Math.random()},By=x;Subject="CN=a,b";URI=spiffe://m/sa/${account}`,
  ]
  expect(await statuses(proxy.port, 1, 5, from('cart'))).toEqual({ 200: 3, 429: 2 })
  expect(await statuses(proxy.port, 1, 5, from('cart'))).toEqual({ 429: 5 })
  expect(await statuses(proxy.port, 1, 5, from('reviews'))).toEqual({ 200: 3, 429: 2 })
  expect(await statuses(proxy.port, 1, 5)).toEqual({ 200: 5 })
  const { proxy: alone } = await start(filters)
  expect(await statuses(alone.port, 1, 5, from('cart'))).toEqual({ 200: 5 })
})

test('a request that one bucket refuses takes nothing from the others', async () => {
  const buckets = [
    { name: 'all', tokens: 4, ...slow },
    { name: 'per-client', key: [{ header: 'x-client' }], tokens: 1, ...slow },
  ]
  const { proxy } = await start([{ type: 'local-rate-limit', buckets }])
  expect(await statuses(proxy.port, 1, 10, ['X-Client: a'])).toEqual({ 200: 1, 429: 9 })
  expect(await statuses(proxy.port, 1, 10)).toEqual({ 200: 3, 429: 7 })
})

test('the refusal says why, when to come back and whom it came from, and the connection stays', async () => {
  const buckets = [{ name: 'all', tokens: 1, refill: 1, every: '1h' }]
  const { proxy } = await start([{ type: 'local-rate-limit', buckets, headers: true }], {}, {})
  const first = await ask(proxy.url)
  expect(await first.body.text()).toBe('ok')
  expect(first.headers).toMatchObject({ 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '0' })
  expect(first.headers).not.toHaveProperty('retry-after')
  const second = await ask(proxy.url, { headers: { 'x-request-id': 'second' } })
  expect(second.statusCode).toBe(429)
  expect(second.headers).toMatchObject({
    'retry-after': '3600',
    'x-ratelimit-limit': '1',
    'x-ratelimit-remaining': '0',
    'x-envoy-ratelimited': 'true',
    'proxy-status': expect.stringContaining('weft; error=http_request_denied'),
  })
  expect(second.headers).not.toHaveProperty('connection', 'close')
  expect(await second.body.text()).toBe('the rate limit of this service is reached: send fewer requests, or later\n')
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(page).toMatch(/response_flags="RL"/)
  expect(await (await fetch(`${proxy.admin}/why/second`)).text()).toContain('the bucket `all` was empty')
})

test('in shadow mode every request goes on, and what would have been refused is counted and recorded', async () => {
  const buckets = [{ name: 'all', tokens: 2, ...slow }]
  const { proxy } = await start([{ type: 'local-rate-limit', buckets, mode: 'shadow' }])
  expect(await statuses(proxy.port, 1, 5)).toEqual({ 200: 5 })
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(page).toMatch(/^weft_rate_limit_shadowed_total 3$/m)
  expect(page).toMatch(/^weft_rate_limited_total 0$/m)
  const records = await (await fetch(`${proxy.admin}/records`)).text()
  expect(records.split('rate-limit-shadowed')).toHaveLength(4)
})

test('a reload keeps the tokens of a bucket that did not change and renews those of one that did', async () => {
  const of = (tokens: number) => [{ type: 'local-rate-limit', buckets: [{ name: 'all', tokens, ...slow }] }]
  const { proxy } = await start(of(3))
  const again = (tokens: number, more: object = {}) => {
    const listeners = proxy.config.listeners.map((listener) => ({ ...listener, filters: of(tokens), ...more }))
    return proxy.reload({ ...proxy.config, listeners } as typeof proxy.config)
  }
  expect(await statuses(proxy.port, 1, 5)).toEqual({ 200: 3, 429: 2 })
  await again(3, { abortOnClose: true })
  expect(await statuses(proxy.port, 1, 2)).toEqual({ 429: 2 })
  await again(4)
  expect(await statuses(proxy.port, 1, 5)).toEqual({ 200: 4, 429: 1 })
})

test('one hundred thousand keys stay within the memory that was announced', async () => {
  const buckets = [{ name: 'per-client', key: [{ header: 'x-client' }], tokens: 2, ...slow, maxKeys: 10_000 }]
  // The proxy answers itself: no endpoint could keep up.
  const route = { forward: undefined, respond: { status: 200, body: 'ok' } }
  const { proxy } = await start([{ type: 'local-rate-limit', buckets }], { records: { ring: 16 } }, { route })
  expect(await statuses(proxy.port, 1, 3, ['X-Client: hot'])).toEqual({ 200: 2, 429: 1 })
  const before = holdings(proxy.pid).privateKiB
  const flood = async (thread: number) => {
    const client = await Wire.connect(proxy.port)
    for (let turn = 0; turn < 100; turn += 1) {
      const keys = Array.from({ length: 100 }, (_, key) => request('HEAD /', [`X-Client: ${thread}-${turn}-${key}`]))
      await client.send(keys.join(''))
      const granted = () => client.unread.split('HTTP/1.1 200 ').length - 1
      await client.until(() => granted() === keys.length && client.unread.endsWith('\r\n\r\n'), '100 answers')
      client.unread = ''
    }
    client.close()
  }
  await Promise.all(Array.from({ length: 10 }, (_, thread) => flood(thread)))
  // What grows here are buffers of the flood's own connections, not keys.
  expect(holdings(proxy.pid).privateKiB - before).toBeLessThan(6 * 1024)
  expect(await statuses(proxy.port, 1, 3, ['X-Client: hot'])).toEqual({ 429: 3 })
})
