/** `weft-agent`, the engine without Node, with a snapshot that `weft compile` wrote. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { built } from '../../kit/built.js'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, outputOf, Program } from '../../kit/program.js'
import { entry, holdings } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

const root = join(import.meta.dirname, '../../..')

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** The smallest example with its two addresses changed. */
async function compiled(upstream: Upstream, listener = '') {
  const folder = scratchFolder()
  const port = await freePort()
  const [config, snapshot] = [join(folder, 'weft.yaml'), join(folder, 'weft.snapshot')]
  const write = async (endpoint: string) => {
    const minimal = readFileSync(join(root, 'test/examples/minimal.yaml'), 'utf8')
    const changed = minimal.replace('127.0.0.1:8080', `127.0.0.1:${port}\n${listener}`)
    writeFileSync(config, changed.replace('127.0.0.1:9000', endpoint))
    await outputOf(process.execPath, [entry, 'compile', '-c', config, '-o', snapshot])
  }
  await write(upstream.address)
  const agent = new Program(built('weft-agent'), [snapshot])
  await agent.says(`edge listens on 127.0.0.1:${port}`)
  return { agent, snapshot, write, url: `http://127.0.0.1:${port}`, port }
}

it('serves the smallest example in 8 MiB of private memory after 100,000 requests', async () => {
  const upstream = new Program(built('weft-load'), ['upstream', '--port', '0'])
  const [, address] = await upstream.says(/listening (\S+)/)
  const { agent, port } = await compiled({ address } as Upstream)
  const load = ['--connections', '64', '--seconds', '60', '--requests', '100000']
  const report = await outputOf(built('weft-load'), ['closed', '--addr', `127.0.0.1:${port}`, ...load], {
    timeoutMs: 60_000,
  })
  const { requests, errors } = JSON.parse(report)
  expect([requests >= 100_000, errors], report).toEqual([true, 0])
  expect(holdings(agent.pid).privateKiB).toBeLessThanOrEqual(8 * 1024)
  agent.signal('SIGTERM')
  expect(await agent.end()).toBe(0)
}, 90_000)

it('takes a new snapshot on SIGHUP, refuses a broken one and goes on', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const { agent, snapshot, write, url } = await compiled(one)
  const ask = async () => (await request(url)).body.text()
  expect(await ask()).toBe('one\n')
  await write(two.address)
  agent.signal('SIGHUP')
  await expect.poll(ask, { interval: 10 }).toBe('two\n')
  writeFileSync(snapshot, 'not a snapshot')
  agent.signal('SIGHUP')
  await agent.says(/weft-agent: .*WEFT_/)
  expect(await ask()).toBe('two\n')
  agent.signal('SIGTERM')
  expect(await agent.end()).toBe(0)
})

it('opens its access log again on SIGUSR1, after a rotation moved the file away', async () => {
  const upstream = await Upstream.start()
  const log = join(scratchFolder(), 'access.log')
  const { agent, url } = await compiled(upstream, `    accessLog: { path: ${log}, format: '%REQ(:PATH)%' }\n`)
  const ask = async (path: string) => (await request(`${url}${path}`)).body.dump()
  await ask('/before')
  await expect.poll(() => readFileSync(log, 'utf8'), { interval: 10 }).toBe('/before\n')
  renameSync(log, `${log}.1`)
  agent.signal('SIGUSR1')
  await expect.poll(() => existsSync(log), { interval: 10 }).toBe(true)
  await ask('/after')
  await expect.poll(() => readFileSync(log, 'utf8'), { interval: 10 }).toBe('/after\n')
  expect(readFileSync(`${log}.1`, 'utf8')).toBe('/before\n')
  agent.signal('SIGTERM')
  expect(await agent.end()).toBe(0)
})

it('finishes open exchanges on SIGTERM', async () => {
  const upstream = await Upstream.start()
  const { agent, url } = await compiled(upstream)
  const open = request(`${url}/hold`)
  const { response } = await upstream.held()
  agent.signal('SIGTERM')
  await expect
    .poll(() =>
      request(url).then(
        () => 'served',
        (error) => error.code,
      ),
    )
    .toBe('ECONNREFUSED')
  response.end('done')
  expect(await (await open).body.text()).toBe('done')
  expect(await agent.end()).toBe(0)
})

it('ends with 2 on a wrong command line, a missing and a broken file, and an address that is taken', async () => {
  const upstream = await Upstream.start()
  const { snapshot } = await compiled(upstream)
  const broken = join(scratchFolder(), 'broken')
  writeFileSync(broken, stringify({ listeners: [] }))
  for (const [args, why] of [
    [[], 'usage: weft-agent SNAPSHOT'],
    [['/nowhere/snapshot'], 'cannot read /nowhere/snapshot'],
    [[broken], 'WEFT_'],
    [[snapshot], 'another process listens there'],
  ] as const) {
    const agent = new Program(built('weft-agent'), args)
    expect(await agent.end()).toBe(2)
    expect(agent.output).toContain(why)
  }
})
