/** The pool's threads and counts over reloads. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, expect, it } from 'vitest'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

const index = join(import.meta.dirname, '../../../dist/index.js')
const module = `
import { defineFilter } from ${JSON.stringify(index)}
export default defineFilter({
  name: 'waits',
  onRequest: ({ path }) => (path === '/late' ? new Promise(() => {}) : { status: 200, body: 'from the pool' }),
})
`

afterAll(async () => {
  await endPrograms()
  await closeUpstreams()
})

const threads = (pid: number) => readdirSync(`/proc/${pid}/task`).length

/** Resolves when the process has that many threads or fewer. */
async function threadsAtMost(pid: number, most: number): Promise<void> {
  await expect.poll(() => threads(pid), { timeout: 10_000 }).toBeLessThanOrEqual(most)
}

it('ends with the reload that took its last filter, and what it counted stays', { timeout: 60_000 }, async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  const [route] = proxy.config.routes ?? []
  const before = threads(proxy.pid)
  const file = join(scratchFolder(), 'waits.mjs')
  writeFileSync(file, module)
  const filters = [{ module: file, runIn: 'pool' as const, timeBudget: '50ms' }]
  const withFilter = { ...proxy.config, routes: [{ ...route, filters }] } as typeof proxy.config

  await proxy.reload(withFilter)
  expect(threads(proxy.pid)).toBeGreaterThan(before)
  expect(await (await request(proxy.url)).body.text()).toBe('from the pool')
  expect((await request(`${proxy.url}/late`)).statusCode).toBe(500)
  const metrics = async () => await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  expect(await metrics()).toMatch(/^weft_filter_pool_late_total 1$/m)
  expect(await metrics()).toMatch(/^weft_filter_pool_calls_total 2$/m)

  await proxy.reload(proxy.config)
  await threadsAtMost(proxy.pid, before)
  expect(await (await fetch(`${proxy.admin}/stats`)).text()).toMatch(/weft_filter_pool_late_total +1/)

  await proxy.reload(withFilter)
  expect(await (await request(proxy.url)).body.text()).toBe('from the pool')
  expect(await metrics()).toMatch(/^weft_filter_pool_calls_total 3$/m)
})
