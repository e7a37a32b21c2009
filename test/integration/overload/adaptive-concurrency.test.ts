/** `clusters[].adaptiveConcurrency` over real sockets: a bound that follows latency and holds over all workers. */
import { afterEach, expect, test } from 'vitest'
import { readAnswer, request, value } from '../../kit/h1-message.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { QueueingUpstream } from '../../kit/queueing-upstream.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { Wire } from '../../kit/wire.js'

const opened: { close(): Promise<void> }[] = []

afterEach(async () => {
  await endPrograms()
  for (const upstream of opened.splice(0)) await upstream.close()
})

test('while the shortest latency is measured, four workers have exactly as many requests under way as the least bound', async () => {
  const upstream = await ScriptedUpstream.open()
  opened.push(upstream)
  const cluster = { adaptiveConcurrency: { minLimit: 5 } }
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, { cluster, config: { workers: 4 } })
  const clients = await Promise.all(Array.from({ length: 60 }, () => Wire.connect(proxy.port)))
  await Promise.all(clients.map((client, id) => client.send(request('GET /', [`X-Request-Id: ask-${id}`]))))
  const answers = clients.map(async (client, id) => ({ id, ...(await readAnswer(client)) }))
  const refused: Awaited<(typeof answers)[number]>[] = []
  for (const answer of answers) void answer.then((got) => refused.push(got)).catch(() => {})
  await expect.poll(() => refused.length, { timeout: 10_000 }).toBe(55)
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]))
  const [first] = refused
  if (first === undefined) throw new Error('nobody was refused')
  expect(value(first, 'x-envoy-overloaded')).toBe('true')
  const why = await (await fetch(`${proxy.admin}/why/ask-${first.id}`)).text()
  expect(why).toContain("the cluster's adaptive concurrency allowed no more requests at that moment")
  expect(why).toContain("the cluster's adaptive bound was at 5 requests")
  expect((await proxy.stats()).clusters[0]?.concurrency).toEqual({ bound: 5, active: 5 })
  expect(await (await fetch(`${proxy.admin}/clusters`)).text()).toContain('5 requests under way, adaptive bound 5')
  for (const client of clients) client.socket.resetAndDestroy()
  await expect.poll(async () => (await proxy.stats()).clusters[0]?.concurrency?.active, { timeout: 5_000 }).toBe(0)
})

test('an endpoint that is asked three times what it can do gets about as many requests as it has places', async () => {
  const upstream = await QueueingUpstream.start({ places: 10, serviceMs: 20 })
  opened.push(upstream)
  const cluster = { adaptiveConcurrency: { interval: '50ms', minRttInterval: '60s' } }
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, { cluster })
  const end = performance.now() + 6_000
  const settled = performance.now() + 3_000
  let served = 0
  let most = 0
  const serve = async () => {
    const client = await Wire.connect(proxy.port)
    while (performance.now() < end) {
      await client.send(request('GET /'))
      const { status } = await readAnswer(client)
      if (status !== 200) await new Promise((resolve) => setTimeout(resolve, 20))
      else if (performance.now() > settled) {
        served += 1
        most = Math.max(most, upstream.present)
      }
    }
    client.close()
  }
  await Promise.all(Array.from({ length: 60 }, serve))
  // Ten places of 20 ms are 500 a second, on a machine that has nothing else to do.
  expect(served).toBeGreaterThan(500 * 3 * 0.5)
  expect(most).toBeLessThan(50)
  const { bound = 0 } = (await proxy.stats()).clusters[0]?.concurrency ?? {}
  expect(bound).toBeGreaterThan(5)
  expect(bound).toBeLessThan(40)
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(page).toMatch(/^weft_cluster_concurrency_limited_total\{.*\} [1-9]\d*$/m)
})
