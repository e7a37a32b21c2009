/** The built command with its engine: traffic, reload, drain, ports that are taken, workers that go wrong. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProxyConfig } from '../../src/config/config.js'
import { startProxy } from '../../src/proxy/start-proxy.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { type Fault, FaultyThreads, realAddon } from '../kit/faulty-threads.js'
import { freePort } from '../kit/free-port.js'
import { startUpstream, type Upstream } from '../kit/upstream.js'
import { WeftProcess, writeConfig } from '../kit/weft-process.js'

let upstream: Upstream
let agent: Agent
const running: WeftProcess[] = []

beforeEach(async () => {
  upstream = await startUpstream()
  agent = new Agent({ connections: 16 })
})
afterEach(async () => {
  await agent.destroy()
  upstream.close()
  for (const run of running.splice(0)) {
    run.signal('SIGKILL')
    await run.ended
  }
})

function configOn(port: number, more: object = {}): ProxyConfig {
  return {
    listeners: [{ name: 'edge', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 } }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
    clusters: [{ name: 'app', endpoints: [upstream.address] }],
    ...more,
  }
}

async function start(config: ProxyConfig) {
  const file = writeConfig(config)
  const weft = new WeftProcess(['run', '-c', file], { WEFT_ADDON: realAddon })
  running.push(weft)
  await weft.says(' ready in ')
  return { weft, file }
}

describe('a running proxy', () => {
  it('passes requests and answers on, in both directions', async () => {
    const port = await freePort()
    await start(configOn(port))
    const origin = `http://127.0.0.1:${port}`
    const get = await request(`${origin}/a?b=c`, { dispatcher: agent })
    expect([get.statusCode, get.headers['x-asked'], await get.body.text()]).toEqual([200, 'GET /a?b=c', ''])
    const body = 'x'.repeat(300_000)
    const post = await request(`${origin}/upload`, { dispatcher: agent, method: 'POST', body })
    expect([post.headers['x-asked'], await post.body.text()]).toEqual(['POST /upload', body])
  })

  it('answers 503 when the endpoint is gone', async () => {
    const port = await freePort()
    await start(configOn(port, { clusters: [{ name: 'app', endpoints: [`127.0.0.1:${await freePort()}`] }] }))
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/`, { dispatcher: agent })
    await body.dump()
    expect(statusCode).toBe(503)
  })

  it('loses no request over twenty reloads', async () => {
    const port = await freePort()
    const { weft, file } = await start(configOn(port))
    let reloading = true
    let answered = 0
    const client = async () => {
      while (reloading) {
        const { statusCode, body } = await request(`http://127.0.0.1:${port}/`, { dispatcher: agent })
        await body.dump()
        if (statusCode !== 200) throw new Error(`status ${statusCode}`)
        answered += 1
      }
    }
    const clients = Promise.all(Array.from({ length: 16 }, client))
    for (let generation = 2; generation < 22; generation += 1) {
      writeConfig(configOn(port, { drain: { deadline: `${generation}s` } }), file.replace(/\/[^/]*$/, ''))
      weft.signal('SIGHUP')
      await weft.says(`generation=${generation}\n`)
    }
    reloading = false
    await clients
    expect(answered).toBeGreaterThan(100)
  })

  it('finishes open requests on SIGTERM, takes no new ones and ends with 0', async () => {
    const port = await freePort()
    const { weft } = await start(configOn(port))
    const slow = request(`http://127.0.0.1:${port}/held`, { dispatcher: agent })
    await upstream.held
    weft.signal('SIGTERM')
    await refused(port)
    upstream.release()
    const { statusCode, headers, body } = await slow
    await body.dump()
    expect([statusCode, headers.connection]).toEqual([200, 'close'])
    expect(await weft.ended).toBe(0)
  })

  it('says in one line that a port is taken, and starts nothing', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const weft = new WeftProcess(['run', '-c', writeConfig(configOn(port))], { WEFT_ADDON: realAddon })
    running.push(weft)
    expect(await weft.ended).toBe(2)
    expect(weft.stderr).toContain(`127.0.0.1:${port}`)
    expect(weft.stderr).toMatch(/^error: [^\n]*another process listens there[^\n]*\n/)
    other.close()
  })
})

describe('a worker that goes wrong', () => {
  it.each<Fault>(['throw', 'exhaust', 'spin'])('(%s) is replaced, and its listener goes on', async (fault) => {
    process.env.WEFT_ADDON = realAddon
    const threads = new FaultyThreads()
    let replaced = (_line: string) => {}
    const told = new Promise<string>((resolve) => {
      replaced = resolve
    })
    const logger = createLogger({
      format: 'text',
      colour: false,
      write: (line) => replaced(line),
      now: () => new Date(),
    })
    const port = await freePort()
    const proxy = await startProxy(configOn(port), { workers: 1, startThread: threads.start, logger })
    try {
      expect(await statusOf(port)).toBe(200)
      threads.break(fault)
      expect(await told).toContain('a worker ended and is replaced')
      // Accepted by the kernel at once, answered by the replacement.
      expect(await statusOf(port)).toBe(200)
      expect(proxy.status()).toMatchObject({ state: 'ready', workers: 1, replaced: 1 })
    } finally {
      await proxy.close()
    }
  })
})

async function statusOf(port: number): Promise<number> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}/`, { dispatcher: agent, reset: true })
  await body.dump()
  return statusCode
}

/** Resolves when a new connection to the port is refused. */
async function refused(port: number): Promise<void> {
  for (;;) {
    try {
      const { body } = await request(`http://127.0.0.1:${port}/`, { reset: true })
      await body.dump()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return
    }
  }
}
