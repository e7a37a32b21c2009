/** `listeners[].overload` in a real process: under pressure the least important requests go first, and at once. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { request as ask } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { readAnswer, request, value } from '../../kit/h1-message.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'
import { Wire } from '../../kit/wire.js'

afterEach(endPrograms)

const library = pathToFileURL(join(import.meta.dirname, '../../../dist/index.js')).href
const respond = { forward: undefined, respond: { status: 200, body: 'ok' } }
const criticality = { header: 'x-criticality', order: ['critical', 'default', 'sheddable'] }

/** A filter that holds the loop for two milliseconds of wall time and needs no CPU, so that neighbours do not matter. */
function slowModule(): string {
  const file = join(scratchFolder(), 'slow.js')
  writeFileSync(
    file,
    `import { defineFilter } from '${library}'
     const cell = new Int32Array(new SharedArrayBuffer(4))
     export default defineFilter({ name: 'slow', onRequest() { Atomics.wait(cell, 0, 0, 2) } })`,
  )
  return file
}

interface Load {
  /** Requests a second that are tried. */
  rate: number
  connections: number
  ms: number
}

/** Requests that come whether or not those before were answered; by class, how many were asked and served from `from` on. */
async function load(port: number, { rate, connections, ms }: Load, from = 0) {
  const classes = ['critical', 'default', 'sheddable', 'default', 'sheddable']
  const counts: Record<string, { asked: number; served: number }> = {}
  const began = performance.now()
  let turn = 0
  const serve = async () => {
    const client = await Wire.connect(port)
    for (;;) {
      const now = performance.now() - began
      if (now >= ms) break
      // One clock for all connections: whoever is free takes the next request once it is due.
      if (turn > (now / 1_000) * rate) {
        await new Promise((resolve) => setTimeout(resolve, 2))
        continue
      }
      const name = classes[turn % classes.length] as string
      turn += 1
      await client.send(request('GET /', [`X-Criticality: ${name}`]))
      const { status } = await readAnswer(client)
      if (now < from) continue
      const count = counts[name] ?? { asked: 0, served: 0 }
      counts[name] = count
      count.asked += 1
      count.served += Number(status === 200)
    }
    client.close()
  }
  await Promise.all(Array.from({ length: connections }, serve))
  const served = Object.values(counts).reduce((sum, count) => sum + count.served, 0)
  return { counts, perSecond: (served * 1_000) / (ms - from) }
}

test('at three times what it can do a worker stays busy, and critical requests are served', async () => {
  // Far more than the lag that a busy machine alone causes.
  const overload = { eventLoopLag: { shedAt: '200ms' }, criticality }
  const route = { ...respond, filters: [{ module: slowModule() }] }
  const proxy = await ProxyProcess.start('127.0.0.1:1', { route })
  const capacity = await load(proxy.port, { rate: 10_000, connections: 20, ms: 2_500 }, 500)
  const listeners = proxy.config.listeners.map((listener) => ({ ...listener, overload }))
  await proxy.reload({ ...proxy.config, listeners })
  const rate = capacity.perSecond * 3
  const { counts, perSecond } = await load(proxy.port, { rate, connections: 300, ms: 6_000 }, 2_000)
  expect(perSecond).toBeGreaterThanOrEqual(capacity.perSecond * 0.9)
  const { critical = { asked: 0, served: 0 }, sheddable = { asked: 0, served: 0 } } = counts
  expect(critical.asked).toBeGreaterThan(200)
  expect(critical.served).toBeGreaterThanOrEqual(critical.asked * 0.99)
  expect(sheddable.served).toBeLessThan(sheddable.asked * 0.1)
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(page).toMatch(/^weft_requests_shed_total [1-9]\d*$/m)
  expect(page).toMatch(/response_flags="OM"/)
  // And when the load is gone everybody is served again: the level falls by one of three classes a second.
  await expect
    .poll(async () => (await ask(proxy.url, { headers: { 'x-criticality': 'sheddable' } })).statusCode)
    .toBe(200)
})

test('memory beyond its bound refuses all, on an open connection that serves again after a reload', async () => {
  const overload = { memory: { limit: '8MiB', shedAt: '50%' }, criticality }
  const proxy = await ProxyProcess.start('127.0.0.1:1', { listener: { overload }, route: respond })
  const client = await Wire.connect(proxy.port)
  const get = async (...lines: string[]) => {
    await client.send(request('GET /', lines))
    return readAnswer(client)
  }
  await expect.poll(async () => (await get('X-Criticality: critical')).status).toBe(503)
  const refused = await get('X-Request-Id: refused')
  expect([refused.status, value(refused, 'retry-after'), value(refused, 'x-envoy-overloaded')]).toEqual([
    503,
    '1',
    'true',
  ])
  expect(refused.body).toContain('the proxy is overloaded: it has no memory left')
  const why = await (await fetch(`${proxy.admin}/why/refused`)).text()
  expect(why).toContain('the proxy was overloaded and refused the request')
  const listeners = proxy.config.listeners.map(({ overload: _, ...listener }) => listener)
  await proxy.reload({ ...proxy.config, listeners })
  expect((await get()).status).toBe(200)
  client.close()
})

test('the more memory is used beyond the bound, the more important requests are refused', async () => {
  const proxy = await ProxyProcess.start('127.0.0.1:1', { route: respond })
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${proxy.pid}/status`, 'utf8'))?.[1])
  // Half of the way from the bound to the end: all that is sheddable and every second default request.
  const memory = { limit: `${Math.round(kib / 0.55)}KiB`, shedAt: '10%' }
  const listeners = proxy.config.listeners.map((listener) => ({ ...listener, overload: { memory, criticality } }))
  await proxy.reload({ ...proxy.config, listeners })
  const client = await Wire.connect(proxy.port)
  const served = async (name: string) => {
    let count = 0
    for (let turn = 0; turn < 100; turn += 1) {
      await client.send(request('GET /', [`X-Criticality: ${name}`]))
      count += Number((await readAnswer(client)).status === 200)
    }
    return count
  }
  await expect.poll(() => served('sheddable')).toBe(0)
  expect(await served('critical')).toBe(100)
  const some = await served('default')
  expect(some).toBeGreaterThan(20)
  expect(some).toBeLessThan(80)
  client.close()
})
