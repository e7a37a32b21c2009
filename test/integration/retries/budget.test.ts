/** Retries never become a storm: each cluster has a budget of them, and only the hop nearest to a failure retries. */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { answer, readAnswer, readRequest, request, value } from '../../kit/h1-message.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { Wire } from '../../kit/wire.js'

afterEach(endPrograms)

const retry = { retries: 2, on: ['retriable-status-codes'], statusCodes: [503] }
const unavailable = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n'

/** So many requests at once, all of which have reached the upstream. */
async function held(count: number, cluster: object) {
  const upstream = await ScriptedUpstream.open()
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, {
    route: { retry: { ...retry, backoff: { base: '1ms' } } },
    cluster: { keepAlive: { idleTimeout: '1m' }, ...cluster },
    config: { workers: 4 },
  })
  const clients = await Promise.all(Array.from({ length: count }, () => Wire.connect(proxy.port)))
  await Promise.all(clients.map((client, index) => client.send(request(`GET /${index}`))))
  const wires = await Promise.all(clients.map(() => upstream.next()))
  await Promise.all(wires.map((wire) => readRequest(wire)))
  return { upstream, proxy, clients, wires }
}

test.each([
  ['a fifth of those that are in their first attempt', 40, {}, 6],
  ['three where a fifth is less', 5, {}, 3],
  ['no more than the circuit breaker lets', 40, { circuitBreaker: { maxRetries: 2 } }, 2],
  ['the share of all that is configured', 40, { retryBudget: { percent: 50, minConcurrency: 0 } }, 13],
  ['none at all', 10, { retryBudget: { percent: 0, minConcurrency: 0 } }, 0],
  ['the same where requests are bounded as well', 40, { circuitBreaker: { maxRequests: 100 } }, 6],
])('all fail at once on four workers: retried are %s', async (_, count, cluster, expected) => {
  const { upstream, proxy, clients, wires } = await held(count, cluster)
  const answers = clients.map((client) => readAnswer(client))
  const again: Wire[] = []
  const take = (wire: Wire) =>
    readRequest(wire).then(
      () => again.push(wire),
      () => {},
    )
  const accept = async (): Promise<void> => {
    for (;;) void take(await upstream.next())
  }
  void accept()
  for (const wire of wires) {
    void wire.send(unavailable)
    void take(wire)
  }
  let failed = 0
  for (const each of answers) void each.then(({ status }) => (failed += status === 503 ? 1 : 0))
  await expect.poll(() => [failed, again.length], { timeout: 10_000 }).toEqual([count - expected, expected])
  for (const wire of again) void wire.send(answer())
  const got = await Promise.all(answers)
  expect(got.filter(({ status }) => status === 200).length).toBe(expected)
  const refused = got.filter(({ status }) => status === 503)
  expect(refused.map((each) => value(each, 'x-weft-retries'))).toEqual(refused.map(() => 'spent'))
  await proxy.stop()
  await upstream.close()
})

test('four hops that all retry, the last of which always fails: at most 1.2 attempts there for a request at the edge', async () => {
  let attempts = 0
  const upstream = http.createServer((_, response) => {
    attempts += 1
    // As slow as a service that is in trouble: with fifty requests in flight their fifth is more than the minimum.
    setTimeout(() => response.writeHead(503).end('no'), 20)
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  let next = `127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const hops: ProxyProcess[] = []
  for (let hop = 0; hop < 4; hop += 1) {
    const proxy = await ProxyProcess.start(next, { route: { retry } })
    hops.push(proxy)
    next = `127.0.0.1:${proxy.port}`
  }
  const [edge] = hops.slice(-1) as [ProxyProcess]
  const [connections, rounds] = [50, 40]
  const clients = await Promise.all(Array.from({ length: connections }, () => Wire.connect(edge.port)))
  await Promise.all(
    clients.map(async (client, index) => {
      for (let round = 0; round < rounds; round += 1) {
        await client.send(request(`GET /${index}/${round}`))
        expect((await readAnswer(client)).status).toBe(503)
      }
    }),
  )
  const ratio = attempts / (connections * rounds)
  expect(ratio).toBeGreaterThan(1)
  expect(ratio).toBeLessThanOrEqual(1.2)
  const sent = await Promise.all(hops.map(async (hop) => (await hop.stats()).clusters[0]?.endpoints[0]?.requests))
  // The hop nearest to the failure retries; the others are told that it did.
  expect(sent).toEqual([attempts, ...Array(3).fill(connections * rounds)])
  for (const client of clients) client.close()
  for (const hop of hops) await hop.stop()
  upstream.close()
}, 60_000)
