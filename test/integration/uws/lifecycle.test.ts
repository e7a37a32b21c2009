/** The life of uWebSockets.js doors: reloads, drains, threads that end, addresses that are taken. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { ProxyConfig } from '../../../src/config/config.js'
import { type RunningProxy, startProxy } from '../../../src/proxy/start-proxy.js'
import { followThread } from '../../../src/proxy/traffic-thread.js'
import { MemoryLogger } from '../../kit/fake-engine.js'
import { answer, readAnswer, readRequest, request, value } from '../../kit/h1-message.js'
import { Program } from '../../kit/program.js'
import { entry, ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'
import { WorkerEnding } from '../../kit/worker-ending.js'

const listener = { engine: 'uws' }

let upstream: ScriptedUpstream
let echo: ScriptedUpstream
let running: RunningProxy | null = null

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  echo = await ScriptedUpstream.open()
  echo.answerAll(({ start }) => answer(start.split(' ')[1]))
})

afterEach(async () => {
  upstream.clear()
  await running?.close()
  running = null
})

afterAll(async () => {
  await upstream.close()
  await echo.close()
})

function config(doors: Record<string, { port?: number; to?: number; engine?: 'uws' | 'native' }>): ProxyConfig {
  const entries = Object.entries(doors)
  return {
    listeners: entries.map(([name, { port = 0, engine = 'uws' }]) => ({ name, address: `127.0.0.1:${port}`, engine })),
    routes: entries.map(([name]) => ({ name, listeners: [name], forward: [{ cluster: name }] })),
    clusters: entries.map(([name, { to = echo.port }]) => ({
      name,
      endpoints: [`127.0.0.1:${to}`],
      keepAlive: { idleTimeout: 0 },
    })),
  }
}

async function start(source: ProxyConfig, options: Parameters<typeof startProxy>[1] = {}): Promise<RunningProxy> {
  running = await startProxy(source, { defaultWorkers: 0, logger: new MemoryLogger(), ...options })
  return running
}

async function ask(port: number, path = '/'): Promise<string> {
  const client = await Wire.connect(port)
  await client.send(request(`GET ${path}`))
  const { body } = await readAnswer(client)
  client.close()
  return body
}

const refused = (port: number) => Wire.connect(port).catch((error: NodeJS.ErrnoException) => error.code)

test('a door serves on its caller’s loop, at a port that was free', async () => {
  const proxy = await start(config({ edge: {} }))
  const { port } = proxy.address('edge')
  expect(await ask(port, '/own')).toBe('/own')
  expect(proxy.stats().listeners).toMatchObject([{ name: 'edge', address: `127.0.0.1:${port}`, door: true }])
})

test('two proxies of one process have doors of their own', async () => {
  const first = await start(config({ edge: {} }))
  const second = await startProxy(config({ edge: { to: upstream.port } }), {
    defaultWorkers: 0,
    logger: new MemoryLogger(),
  })
  const asked = ask(second.address('edge').port)
  await (await upstream.next()).send(answer('second'))
  expect(await asked).toBe('second')
  await second.close()
  expect(await refused(second.address('edge').port)).toBe('ECONNREFUSED')
  expect(await ask(first.address('edge').port, '/first')).toBe('/first')
})

test('a change opens new doors, keeps those that stay with their connections, and lets the others go', async () => {
  const proxy = await start(config({ stays: {}, goes: { to: upstream.port } }))
  const [stays, goes] = [proxy.address('stays').port, proxy.address('goes').port]
  const kept = await Wire.connect(stays)
  await kept.send(request('GET /before'))
  expect((await readAnswer(kept)).body).toBe('/before')
  const leaving = await Wire.connect(goes)
  await leaving.send(request('GET /'))
  const wire = await upstream.next()
  await readRequest(wire)
  await proxy.apply(config({ comes: {}, stays: { to: upstream.port } }))
  expect(await refused(goes)).toBe('ECONNREFUSED')
  expect(await ask(proxy.address('comes').port, '/new')).toBe('/new')
  await wire.send(answer('last'))
  const last = await readAnswer(leaving)
  expect([last.body, value(last, 'connection')]).toEqual(['last', 'close'])
  expect(await leaving.takeRest()).toBe('')
  await kept.send(request('GET /after'))
  await (await upstream.next()).send(answer('elsewhere'))
  expect((await readAnswer(kept)).body).toBe('elsewhere')
  kept.close()
})

test.each(['uws', 'native'] as const)(
  'an address that is taken refuses a %s listener, and nothing changes',
  async (engine) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const proxy = await start(config({ edge: {} }))
    const refusal = await proxy.apply(config({ edge: { to: upstream.port }, other: { port, engine } })).catch((e) => e)
    expect(refusal).toMatchObject({ code: 'WEFT_SNAPSHOT_REJECTED', issues: [{ path: 'listeners[1].address' }] })
    expect(await ask(proxy.address('edge').port, '/still')).toBe('/still')
    server.close()
  },
)

test('a second proxy cannot take the address of a door', async () => {
  const proxy = await start(config({ edge: {} }))
  const { port } = proxy.address('edge')
  for (const engine of ['uws', 'native'] as const) {
    const second = await startProxy(config({ edge: { port, engine } }), { defaultWorkers: 0 }).catch((error) => error)
    expect(second).toMatchObject({ code: 'WEFT_SNAPSHOT_REJECTED' })
  }
})

test('the engine of an address cannot change under it', async () => {
  const proxy = await start(config({ edge: {} }))
  const { port } = proxy.address('edge')
  const fixed = await start(config({ edge: { port: 0 } }))
  await proxy.close()
  await fixed.apply(config({ edge: { port } }))
  const refusal = await fixed.apply(config({ edge: { port, engine: 'native' } })).catch((error) => error)
  expect(refusal.issues).toMatchObject([{ path: 'listeners[0].engine' }])
  expect(await ask(port, '/still')).toBe('/still')
})

test.each([0, 1])(
  'a drain that keeps outbound listeners keeps their doors, until one does not (%i threads)',
  async (threads) => {
    const startThread = () => followThread(new Worker(new URL('../../../dist/worker.js', import.meta.url)))
    const proxy = await start(config({ 'outbound-app': {}, edge: {} }), { workers: threads, startThread })
    const [outbound, edge] = [proxy.address('outbound-app').port, proxy.address('edge').port]
    const kept = await Wire.connect(outbound)
    await proxy.drain({ deadlineMs: 2_000, keepOutbound: true })
    expect(await refused(edge)).toBe('ECONNREFUSED')
    expect(await ask(outbound, '/new')).toBe('/new')
    await kept.send(request('GET /old'))
    expect((await readAnswer(kept)).body).toBe('/old')
    kept.close()
    await proxy.drain({ deadlineMs: 2_000 })
    expect(await refused(outbound)).toBe('ECONNREFUSED')
  },
)

test('a drain answers what is open, says close, and ends idle connections', async () => {
  const weft = await startWeft({ edge: { upstream: upstream.port, listener } }, { drain: { deadline: '10s' } })
  const [idle, busy] = [await Wire.connect(weft.port('edge')), await Wire.connect(weft.port('edge'))]
  await busy.send(request('GET /'))
  const wire = await upstream.next()
  await readRequest(wire)
  const stopped = weft.stop()
  await expect.poll(() => refused(weft.port('edge')), { timeout: 5_000, interval: 5 }).toBe('ECONNREFUSED')
  await wire.send(answer('late'))
  const got = await readAnswer(busy)
  expect([got.body, value(got, 'connection')]).toEqual(['late', 'close'])
  expect([await busy.ended(), await idle.ended(), await stopped]).toEqual(['fin', 'fin', 0])
})

test('each of several threads listens on the one port', async () => {
  const weft = await startWeft({ edge: { upstream: echo.port, listener } }, { workers: 2 })
  const port = weft.port('edge').toString(16).toUpperCase().padStart(4, '0')
  const listening = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`:${port} 00000000:0000 0A`))
  expect(listening).toHaveLength(2)
  for (let round = 0; round < 40; round += 1) expect(await ask(weft.port('edge'), `/${round}`)).toBe(`/${round}`)
  expect(await weft.stop()).toBe(0)
})

test.each(['throw', 'spin', 'memory'] as const)(
  'a thread that ends by %s with connections open is replaced, and the door opens again at its port',
  async (way) => {
    const ending = new WorkerEnding()
    const proxy = await ProxyProcess.start(`127.0.0.1:${echo.port}`, {
      listener: { ...listener, limits: {} },
      env: ending.env,
    })
    const clients = await Promise.all(Array.from({ length: 20 }, () => Wire.connect(proxy.port)))
    for (const client of clients) {
      await client.send(request('GET /before'))
      expect((await readAnswer(client)).body).toBe('/before')
    }
    await ending.endOldest(way)
    for (const client of clients) await client.ended()
    await proxy.says('a worker ended and is replaced; its connections are lost worker=')
    await expect.poll(() => ask(proxy.port, '/after').catch(String), { timeout: 10_000, interval: 20 }).toBe('/after')
    expect(await proxy.stop()).toBe(0)
  },
)

test('a process follows another one at the door’s port while clients ask on', async () => {
  const env = { XDG_RUNTIME_DIR: scratchFolder() }
  const proxy = await ProxyProcess.start(`127.0.0.1:${echo.port}`, { listener: { ...listener, limits: {} }, env })
  let over = false
  const asking = (async () => {
    const bodies = new Set<string>()
    // What waits in the old accept queue when that closes is lost: such a client asks again.
    const again = () => ask(proxy.port, '/asked')
    while (!over) bodies.add(await again().catch(again))
    return bodies
  })()
  const next = new Program(process.execPath, [entry, 'run', '-c', proxy.file, '--takeover'], { env })
  await next.says('took over from the running process')
  await proxy.ended
  expect(await ask(proxy.port, '/next')).toBe('/next')
  over = true
  expect(await asking).toEqual(new Set(['/asked']))
  next.signal('SIGTERM')
  expect(await next.ended).toBe(0)
})
