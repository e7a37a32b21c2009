/** The limit on open descriptors: looked at before the start, refused politely while it holds, forgotten afterwards. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { askOnce } from '../../kit/connections.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { holdings, ProxyProcess } from '../../kit/proxy-process.js'

const open: Socket[] = []

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy()
  await endPrograms()
  await closeUpstreams()
})

/** Asks on a connection of its own that stays open; resolves with the status. */
async function ask(port: number): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  open.push(socket)
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  const [data] = await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })
  return Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1])
}

async function asked(port: number, count: number): Promise<Record<number, number>> {
  const statuses = await Promise.all(Array.from({ length: count }, () => ask(port)))
  const counts: Record<number, number> = {}
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

const closeAll = async () => {
  const closed = open.splice(0).map((socket) => {
    if (socket.closed) return null
    const end = once(socket, 'close')
    socket.destroy()
    return end
  })
  await Promise.all(closed)
}

it('a limit that is too low for maxConnections lowers it, says so, and the rest gets 503 until there is room', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, { under: ['prlimit', '--nofile=300:300'] })
  expect(proxy.output).toContain(
    'listener edge takes at most 22 connections, not 500: the limit of 300 open descriptors is too low; raise it to 1256',
  )
  for (let round = 0; round < 3; round++) {
    expect(await asked(proxy.port, 60)).toEqual({ 200: 22, 503: 38 })
    await closeAll()
    await expect.poll(async () => (await proxy.stats()).counters.weft_downstream_connections_active).toBe(0)
  }
  expect((await proxy.stats()).counters.weft_downstream_connections_refused_total).toBe(3 * 38)
  expect(await proxy.stop()).toBe(0)
})

it('a limit reached all the same stops accepting for a while; those who wait are served when there is room', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  await askOnce(proxy.url)
  await proxy.stats()
  const limit = (descriptors: number) =>
    execFileSync('prlimit', ['--pid', String(proxy.pid), `--nofile=${descriptors}:20000`])
  limit(holdings(proxy.pid).descriptors + 20)
  const answers = Array.from({ length: 60 }, () => ask(proxy.port))
  // The test's connection to the admin server is kept, so that statistics need no descriptor.
  await expect.poll(async () => (await proxy.stats()).counters.weft_accept_pauses_total).toBeGreaterThan(0)
  limit(2000)
  const statuses = await Promise.all(answers)
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(20)
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
  await closeAll()
  expect(await asked(proxy.port, 60)).toEqual({ 200: 60 })
  expect(await proxy.stop()).toBe(0)
})
