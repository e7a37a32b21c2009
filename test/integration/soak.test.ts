/**
 * One proxy for a minute: 64 busy connections, two reloads per second, a slow upload and an open WebSocket throughout.
 * `WEFT_SOAK_SECONDS` sets another length. Nothing may fail, and nothing may grow.
 */
import { once } from 'node:events'
import http from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'undici'
import { afterEach, expect, it } from 'vitest'
import type { ProxyConfig } from '../../src/config/config.js'
import { built } from '../kit/built.js'
import { clients, python } from '../kit/clients.js'
import { freePort } from '../kit/free-port.js'
import { closeUpstreams, type Received, Upstream } from '../kit/http-upstream.js'
import { patternBlocks, patternHash } from '../kit/pattern.js'
import { endPrograms, Program } from '../kit/program.js'
import { holdings, ProxyProcess } from '../kit/proxy-process.js'

const seconds = Number(process.env.WEFT_SOAK_SECONDS ?? 60)
const uploadSeconds = Math.min(20, seconds * 0.8)
const uploadBytes = 4_000_000
const reloadsPerSecond = 2

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** Three listeners, each with an upstream of its own: load, upload, WebSocket. */
async function start() {
  const load = new Program(built('weft-load'), ['upstream', '--port', '0'])
  const sockets = new Program(python, [join(clients, 'websocket_server.py')])
  const upload = await Upstream.start()
  const endpoints = {
    load: (await load.says(/listening (\S+)/))[1] ?? '',
    upload: upload.address,
    sockets: `127.0.0.1:${(await sockets.says(/port (\d+)/))[1]}`,
  }
  const ports = { load: await freePort(), upload: await freePort(), sockets: await freePort() }
  const names = Object.keys(ports) as (keyof typeof ports)[]
  const config: Partial<ProxyConfig> = {
    workers: 2,
    listeners: names.map((name) => ({ name, address: `127.0.0.1:${ports[name]}`, limits: { maxConnections: 500 } })),
    routes: names.map((name) => ({ name, listeners: [name], forward: [{ cluster: name }] })),
    clusters: names.map((name) => ({ name, endpoints: [endpoints[name]] })),
  }
  return { proxy: await ProxyProcess.start('127.0.0.1:9', { config }), ports }
}

/** The same with another listener, renamed routes, other limits and an access log: much changes, nothing is taken away. */
function changed(config: ProxyConfig, port: number): ProxyConfig {
  const [first, ...rest] = config.listeners
  const logged = { ...first, limits: { maxConnections: 400 }, accessLog: { path: '/dev/null', format: 'json' } }
  return {
    ...config,
    listeners: [{ name: 'more', address: `127.0.0.1:${port}` }, ...rest, logged as typeof first & object],
    routes: (config.routes ?? []).map((route) => ({ ...route, name: `${route.name}-again`, timeout: '10s' })),
  }
}

async function slowUpload(port: number): Promise<Received> {
  const request = http.request({ port, path: '/hash', method: 'POST' })
  const answer = once(request, 'response') as Promise<[http.IncomingMessage]>
  const parts = [...patternBlocks(uploadBytes)]
  for (const part of parts) {
    request.write(part)
    await delay((uploadSeconds * 1000) / parts.length)
  }
  request.end()
  const [response] = await answer
  return JSON.parse(Buffer.concat(await response.toArray()).toString())
}

/** Sends a message each half second and expects it back; resolves with how many came back. */
async function talk(port: number, over: Promise<unknown>): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
  await once(socket, 'open')
  let ended = false
  void over.then(() => {
    ended = true
  })
  let count = 0
  for (; !ended; count++) {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(5000) })
    socket.send(`message ${count}`)
    expect((await answer)[0].data).toBe(`message ${count}`)
    await delay(500)
  }
  const closed = once(socket, 'close')
  socket.close(1000)
  expect((await closed)[0]).toMatchObject({ code: 1000, wasClean: true })
  return count
}

it(
  `nothing fails and nothing grows in ${seconds} s of load with ${reloadsPerSecond} reloads per second`,
  async () => {
    const { proxy, ports } = await start()
    const plan = ['--connections', '64', '--seconds', String(seconds)]
    const load = new Program(built('weft-load'), ['closed', '--addr', `127.0.0.1:${ports.load}`, ...plan], {
      timeoutMs: (seconds + 30) * 1000,
    })
    const talking = talk(ports.sockets, load.ended)
    const uploading = slowUpload(ports.upload)
    const configs = [changed(proxy.config, await freePort()), proxy.config]
    const samples: ReturnType<typeof holdings>[] = []
    let over = false
    void load.ended.then(() => {
      over = true
    })
    let reloads = 0
    for (; !over; reloads++) {
      const pace = delay(1000 / reloadsPerSecond)
      expect(await proxy.reload(configs[reloads % 2] as ProxyConfig)).toContain('generation=')
      await pace
      if (reloads % 2) samples.push(holdings(proxy.pid))
    }
    expect(await load.end()).toBe(0)
    const report = JSON.parse(load.stdout)
    expect(report).toMatchObject({ errors: 0, first_error: null })
    expect(report.requests).toBeGreaterThan(1000 * seconds)
    expect(await uploading).toMatchObject({ bytes: uploadBytes, sha256: patternHash(uploadBytes) })
    expect(await talking).toBeGreaterThan(seconds)
    expect(reloads).toBeGreaterThan(seconds)
    const { series, workers } = await proxy.stats()
    expect(series.filter(({ status }) => ![101, 200].includes(status))).toEqual([])
    expect(workers.map(({ panics }) => panics)).toEqual([0, 0])
    expectFlat(samples)
    expect(await proxy.stop()).toBe(0)
  },
  (seconds + 60) * 1000,
)

/** The last third needs no more than the second one; the first one warms up. */
function expectFlat(samples: ReturnType<typeof holdings>[]): void {
  const third = Math.floor(samples.length / 3)
  const most = (part: typeof samples, of: 'descriptors' | 'privateKiB') => Math.max(...part.map((sample) => sample[of]))
  const [second, last] = [samples.slice(third, 2 * third), samples.slice(2 * third)]
  const told = JSON.stringify(samples.map(({ descriptors, privateKiB }) => [descriptors, privateKiB]))
  expect(most(last, 'descriptors') - most(second, 'descriptors'), told).toBeLessThan(16)
  expect(most(last, 'privateKiB') - most(second, 'privateKiB'), told).toBeLessThan(4096)
}
