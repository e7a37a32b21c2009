/** 10,000 routes and endpoints come into force while requests pass, and the loop that carries them hardly notices. */
import { readdirSync, readFileSync } from 'node:fs'
import { Client } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { large } from '../../../bench/micro/large.js'
import { built } from '../../kit/built.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, outputOf, Program } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** The proxy's configuration with many routes and clusters behind its own. */
function with10000(proxy: ProxyProcess, turn: number): string {
  const { node, routes, clusters } = large(turn)
  return stringify({
    ...proxy.config,
    node,
    routes: [...(proxy.config.routes ?? []), ...routes],
    clusters: [...(proxy.config.clusters ?? []), ...clusters],
  })
}

/** Processor time of each thread, ms: what a busy machine does not change. */
function threadMs(pid: number): Map<string, number> {
  const threads = readdirSync(`/proc/${pid}/task`)
  return new Map(
    threads.map((thread) => [
      thread,
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6,
    ]),
  )
}

function spent(before: Map<string, number>, after: Map<string, number>): [thread: string, ms: number][] {
  const kept = [...after].filter(([thread]) => before.has(thread))
  return kept.map(([thread, ms]) => [thread, ms - (before.get(thread) ?? 0)])
}

it('a reload of 10,000 routes and endpoints takes less than 5 ms of the loop that carries traffic', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  const client = new Client(proxy.url)
  const idle = threadMs(proxy.pid)
  for (let turn = 0; turn < 1_000; turn++) await (await client.request({ path: '/', method: 'GET' })).body.dump()
  const [worker = ''] = spent(idle, threadMs(proxy.pid)).reduce((most, one) => (one[1] > most[1] ? one : most))
  const reloads = 6
  const texts = Array.from({ length: reloads }, (_, turn) => with10000(proxy, turn))
  const before = threadMs(proxy.pid)
  for (const text of texts) expect(await proxy.reload(text)).toContain('generation=')
  const [, ms = Number.NaN] = spent(before, threadMs(proxy.pid)).find(([thread]) => thread === worker) ?? []
  process.stdout.write(`${(ms / reloads).toFixed(2)} ms of the worker per reload\n`)
  expect(ms / reloads).toBeLessThan(5)
  expect(await (await client.request({ path: '/', method: 'GET' })).body.text()).toBe('app\n')
  await client.close()
  expect(await proxy.stop()).toBe(0)
})

it('reloads of 10,000 routes and endpoints fail no request', async () => {
  const upstream = new Program(built('weft-load'), ['upstream', '--port', '0'])
  const [, address = ''] = await upstream.says(/listening (\S+)/)
  const proxy = await ProxyProcess.start(address)
  const texts = [0, 1].map((turn) => with10000(proxy, turn))
  const load = ['--connections', '16', '--rate', '300', '--seconds', '5']
  let over = false
  const report = outputOf(built('weft-load'), ['open', '--addr', `127.0.0.1:${proxy.port}`, ...load]).finally(() => {
    over = true
  })
  let reloads = 0
  for (; !over; reloads++) await proxy.reload(texts[reloads % 2] as string)
  const { requests, errors } = JSON.parse(await report)
  process.stdout.write(`${reloads} reloads: ${await report}\n`)
  expect([requests, errors]).toEqual([1_500, 0])
  expect((await proxy.stats()).generation).toBe(1 + reloads)
  expect(await proxy.stop()).toBe(0)
})
