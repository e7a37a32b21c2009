/** One process follows another on the same sockets: nothing fails, no count falls, and a successor may die. */
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import http from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, Program } from '../../kit/program.js'
import { entry, ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** A proxy whose door stands in a folder of the test. */
async function start(endpoint: string, options: object = {}) {
  const folder = scratchFolder()
  const proxy = await ProxyProcess.start(endpoint, { env: { XDG_RUNTIME_DIR: folder }, ...options })
  return { proxy, folder }
}

async function follow(proxy: ProxyProcess, folder: string): Promise<Program> {
  const command = [entry, 'run', '-c', proxy.file, '--takeover']
  const next = new Program(process.execPath, command, { env: { XDG_RUNTIME_DIR: folder } })
  await next.says(' ready in ')
  return next
}

/** Sixteen clients that keep their connections; every answer that is not 200 fails the test. */
class Load {
  answers = 0
  readonly failures: string[] = []
  private stopped = false
  private readonly clients: Promise<void>[]
  private readonly agent = new http.Agent({ keepAlive: true })

  constructor(url: string) {
    this.clients = Array.from({ length: 16 }, () => this.run(url))
  }

  async answered(more: number): Promise<void> {
    const until = this.answers + more
    await expect.poll(() => this.answers, { interval: 5, timeout: 10_000 }).toBeGreaterThan(until)
  }

  async stop(): Promise<void> {
    this.stopped = true
    await Promise.all(this.clients)
    this.agent.destroy()
  }

  private async run(url: string): Promise<void> {
    while (!this.stopped) {
      await this.ask(url).catch((error) => this.failures.push(String(error)))
      this.answers += 1
    }
  }

  private async ask(url: string): Promise<void> {
    const request = http.request(url, { agent: this.agent, method: 'POST' }).end('x')
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
    for await (const _ of answer);
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
  }
}

async function requestsCounted(proxy: ProxyProcess): Promise<number> {
  const { series } = await proxy.stats()
  return series.reduce((sum, { requests }) => sum + requests, 0)
}

it.each([
  [1, 1],
  [2, 1],
  [1, 3],
])('under load, with %i workers before and %i after: no request fails, no count falls', async (before, after) => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address, { config: { workers: before } })
  const load = new Load(`${proxy.url}/bytes/100`)
  await load.answered(500)
  const counted = await requestsCounted(proxy)
  proxy.write({ ...proxy.config, workers: after })
  const next = await follow(proxy, folder)
  const during = await requestsCounted(proxy)
  expect(during).toBeGreaterThan(counted)
  expect(await proxy.end()).toBe(0)
  expect(proxy.output).toContain(`taken over successor=${next.pid}`)
  await load.answered(500)
  await load.stop()
  expect(load.failures).toEqual([])
  await expect.poll(() => requestsCounted(proxy)).toBe(load.answers)
  next.signal('SIGTERM')
  expect(await next.end()).toBe(0)
  expect(readdirSync(join(folder, `weft-${process.getuid?.()}`))).toEqual([])
})

it('an open exchange of the old process is answered while the new one serves', async () => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address)
  const open = fetch(`${proxy.url}/hold`)
  const { response } = await upstream.held()
  await follow(proxy, folder)
  expect((await fetch(`${proxy.url}/bytes/3`)).status).toBe(200)
  response.end('late')
  expect(await (await open).text()).toBe('late')
  expect(await proxy.end()).toBe(0)
})

it('one process follows the other three times', async () => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address)
  await fetch(`${proxy.url}/bytes/1`)
  let running: Program = proxy
  for (let turn = 0; turn < 3; turn += 1) {
    const next = await follow(proxy, folder)
    expect(await running.end()).toBe(0)
    running = next
    await fetch(`${proxy.url}/bytes/1`)
  }
  expect(await requestsCounted(proxy)).toBe(4)
})

it('a successor that dies before the drain has changed nothing', async () => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address)
  const doors = join(folder, `weft-${process.getuid?.()}`)
  await expect.poll(() => readdirSync(doors)).toHaveLength(1)
  const successor = connect(join(doors, readdirSync(doors)[0] ?? ''))
  successor.write('{"ask":"sockets"}\n')
  await once(successor, 'data')
  successor.write('{"ask":"admin"}\n')
  await once(successor, 'data')
  await expect(fetch(`${proxy.admin}/ready`)).rejects.toThrow()
  successor.destroy()
  await expect
    .poll(() =>
      fetch(`${proxy.admin}/ready`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200)
  expect((await fetch(`${proxy.url}/bytes/3`)).status).toBe(200)
  expect(await proxy.stop()).toBe(0)
})

it('whoever speaks nonsense at the door is sent away', async () => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address)
  const doors = join(folder, `weft-${process.getuid?.()}`)
  await expect.poll(() => readdirSync(doors)).toHaveLength(1)
  for (const words of ['GET / HTTP/1.1\r\n\r\n', '{}\n', '{"ask":"secrets"}\n']) {
    const stranger = connect(join(doors, readdirSync(doors)[0] ?? ''))
    stranger.write(words)
    await once(stranger, 'close')
  }
  expect(await proxy.stop()).toBe(0)
})

it('with nobody to follow it starts as it would without', async () => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address)
  expect(await proxy.stop()).toBe(0)
  const next = await follow(proxy, folder)
  expect((await fetch(`${proxy.url}/bytes/3`)).status).toBe(200)
  expect(next.output).not.toContain('took over')
})

it('a bad configuration leaves the running process as it is', async () => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address)
  proxy.write('listeners: 3')
  const command = [entry, 'run', '-c', proxy.file, '--takeover']
  expect(await new Program(process.execPath, command, { env: { XDG_RUNTIME_DIR: folder } }).end()).toBe(2)
  expect((await fetch(`${proxy.url}/bytes/3`)).status).toBe(200)
})

it('a process with an application does not follow another', async () => {
  const upstream = await Upstream.start()
  const { proxy, folder } = await start(upstream.address)
  const command = [entry, 'run', '-c', proxy.file, '--takeover', '--', 'true']
  const refused = new Program(process.execPath, command, { env: { XDG_RUNTIME_DIR: folder } })
  expect(await refused.end()).not.toBe(0)
  expect(refused.output).toContain('WEFT_TAKEOVER_FAILED')
})

it('no door is opened in a folder that others may enter', async () => {
  const upstream = await Upstream.start()
  const folder = scratchFolder()
  mkdirSync(join(folder, `weft-${process.getuid?.()}`))
  chmodSync(join(folder, `weft-${process.getuid?.()}`), 0o777)
  const proxy = await ProxyProcess.start(upstream.address, { env: { XDG_RUNTIME_DIR: folder } })
  await proxy.says('this process cannot be taken over')
  expect((await fetch(`${proxy.url}/bytes/3`)).status).toBe(200)
})
