/**
 * A filter in place that does not give its loop back: its worker alone is replaced, and log and record name the filter.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { Client, request } from 'undici'
import { afterAll, describe, expect, it } from 'vitest'
import type { RecordList } from '../../../src/native/index.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

const index = join(import.meta.dirname, '../../../dist/index.js')

/** Says which thread it runs in. */
const module = `
import { threadId } from 'node:worker_threads'
import { defineFilter } from ${JSON.stringify(index)}
export default defineFilter({
  name: 'spinner',
  onRequest(request) {
    if (request.path === '/spin') for (;;);
    if (request.path !== '/wait') return { status: 200, body: String(threadId) }
  },
})
`

/** One connection. */
interface Connection {
  client: Client
  thread: number
  lost: Promise<void>
}

const open: Connection[] = []

afterAll(async () => {
  await Promise.all(open.map(({ client }) => client.destroy()))
  await endPrograms()
})

async function startProxy(engine: string, workers = 2, endpoint = '127.0.0.1:1'): Promise<ProxyProcess> {
  const file = join(scratchFolder(), 'spinner.mjs')
  writeFileSync(file, module)
  const filters = [{ module: file }]
  return ProxyProcess.start(endpoint, { config: { workers }, listener: { engine, filters, limits: {} } })
}

async function threadOf(client: Client): Promise<number> {
  const { statusCode, body } = await client.request({ method: 'GET', path: '/' })
  const text = await body.text()
  if (statusCode !== 200) throw new Error(`status ${statusCode}: ${text}`)
  return Number(text)
}

async function connect(proxy: ProxyProcess): Promise<Connection> {
  const client = new Client(proxy.url, { keepAliveTimeout: 60_000 })
  const lost = new Promise<void>((resolve) => client.once('disconnect', () => resolve()))
  const connection = { client, thread: await threadOf(client), lost }
  open.push(connection)
  return connection
}

/** Connections until two threads have some; by thread. */
async function connectToBoth(proxy: ProxyProcess): Promise<Map<number, Connection[]>> {
  const byThread = new Map<number, Connection[]>()
  // Many at once, so that no thread is idle enough to take them all; a replacement may still be on its way.
  for (const end = performance.now() + 20_000; byThread.size < 2 && performance.now() < end; ) {
    for (const connection of await Promise.all(Array.from({ length: 16 }, () => connect(proxy)))) {
      byThread.set(connection.thread, [...(byThread.get(connection.thread) ?? []), connection])
    }
  }
  expect(byThread.size).toBe(2)
  return byThread
}

/** As long as `until` has not come; rejects with the first request that fails. */
async function keepAsking({ client, thread }: Connection, until: Promise<unknown>): Promise<number> {
  let over = false
  void until.then(() => {
    over = true
  })
  let answers = 0
  for (; !over; answers += 1) expect(await threadOf(client)).toBe(thread)
  return answers
}

describe.each(['native', 'uws'])('a filter that holds its loop, behind a listener of the engine %s', (engine) => {
  it('costs its worker, and nothing else', { timeout: 60_000 }, async () => {
    const proxy = await startProxy(engine)
    const [stalled = [], others = []] = [...(await connectToBoth(proxy)).values()]
    const [first] = stalled
    const [other] = others
    if (first === undefined || other === undefined) throw new Error('there are no connections')
    const from = performance.now()
    const held = first.client
      .request({ method: 'GET', path: '/spin', headers: { 'x-request-id': 'held-1' } })
      .then(({ statusCode, body }) => body.dump().then(() => statusCode))
      .catch(() => 'lost')
    const replaced = proxy.says('a worker ended and is replaced; its connections are lost')
    expect(await keepAsking(other, replaced)).toBeGreaterThan(0)
    expect(performance.now() - from).toBeLessThan(6_000)
    expect([500, 'lost']).toContain(await held)
    await Promise.all(stalled.map(({ lost }) => lost))
    expect(proxy.output).toContain('the filter spinner held its loop for a second')

    expect(await threadOf(other.client)).toBe(other.thread)
    const threads = [...(await connectToBoth(proxy)).keys()]
    expect(threads).toContain(other.thread)
    expect(threads).not.toContain(first.thread)
    const told = await (await fetch(`${proxy.admin}/why/held-1`)).text()
    expect(told).toContain(
      'the filter `spinner` failed: it did not return, and held its loop until its thread was ended',
    )
  })

  it('leaves a record of what was lost with it', { timeout: 60_000 }, async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const proxy = await startProxy(engine, 1, `127.0.0.1:${(silent.address() as AddressInfo).port}`)
    const waiting = request(`${proxy.url}/wait`).catch(() => 'lost')
    await once(silent, 'connection')
    void request(`${proxy.url}/spin`).catch(() => {})
    await proxy.says('a worker ended and is replaced')
    expect(await waiting).toBe('lost')
    silent.close()
    const { records } = (await (await fetch(`${proxy.admin}/records`)).json()) as RecordList
    const lost = records.find(({ detail }) => detail === 'its worker was ended under it')
    expect(lost).toMatchObject({ listener: 'edge', route: 'all', cluster: 'app', status: 0 })
  })
})
