/** `weft run` follows its files, whatever replaces them, and keeps what is in force when one of them is wrong. */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, Program } from '../../kit/program.js'
import { entry, ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

const ask = async (url: string) => (await request(url)).body.text()

/** A configuration from `port` to `upstream`. */
const towards = (port: number, upstream: Upstream) =>
  stringify({
    listeners: [{ name: 'edge', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 } }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
    clusters: [{ name: 'app', endpoints: [upstream.address] }],
  })

async function started(file: string): Promise<Program> {
  const program = new Program(process.execPath, [entry, 'run', '-c', file])
  await program.says(' ready in ')
  return program
}

it('a file that is renamed over, written in place or swapped by a link is read again', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const port = await freePort()
  const folder = scratchFolder()
  // As an orchestrator mounts it: weft.yaml → ..data/weft.yaml, ..data → a folder of this version.
  const version = (name: string, text: string) => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'weft.yaml'), text)
    symlinkSync(name, join(folder, '..data.new'))
    renameSync(join(folder, '..data.new'), join(folder, '..data'))
  }
  version('..1', towards(port, one))
  symlinkSync('..data/weft.yaml', join(folder, 'weft.yaml'))
  const file = join(folder, 'weft.yaml')
  const proxy = await started(file)
  const url = `http://127.0.0.1:${port}`
  expect(await ask(url)).toBe('one\n')

  version('..2', towards(port, two))
  await proxy.says(/reloaded.*generation=2/)
  expect(await ask(url)).toBe('two\n')

  renameSync(file, join(folder, 'old'))
  writeFileSync(join(folder, 'new'), towards(port, one))
  renameSync(join(folder, 'new'), file)
  await proxy.says(/reloaded.*generation=3/)
  expect(await ask(url)).toBe('one\n')

  writeFileSync(file, towards(port, two))
  await proxy.says(/reloaded.*generation=4/)
  expect(await ask(url)).toBe('two\n')
  proxy.signal('SIGTERM')
  expect(await proxy.end()).toBe(0)
})

it('a wrong file keeps what is in force and says where it is wrong; mending it is enough', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const proxy = await ProxyProcess.start(one.address, { watch: true })
  proxy.write({ ...proxy.config, routes: [{ name: 'all', forward: [{ cluster: 'ap' }] }] })
  await proxy.says('everything stays as it was')
  const [line] = await proxy.says(/error: there is no cluster.*\n/)
  expect(line).toMatch(/file=\S*weft.yaml line=\d+ path="routes\[0\].forward\[0\].cluster"/)
  expect(line).toContain('did you mean')
  expect(await ask(proxy.url)).toBe('one\n')
  proxy.write({ ...proxy.config, clusters: [{ name: 'app', endpoints: [two.address] }] })
  await proxy.says(/reloaded.*generation=2/)
  expect(await ask(proxy.url)).toBe('two\n')
  expect(await proxy.stop()).toBe(0)
})

it('included files are followed too, new ones and broken ones among them', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const proxy = await ProxyProcess.start(one.address, {
    watch: true,
    config: { include: ['parts/*.yaml'], routes: [] },
  })
  expect((await request(proxy.url)).statusCode).toBe(404)
  const parts = join(dirname(proxy.file), 'parts')
  mkdirSync(parts)
  const part = (name: string, text: string) => {
    writeFileSync(join(parts, `.${name}.new`), text)
    renameSync(join(parts, `.${name}.new`), join(parts, name))
  }
  part('routes.yaml', 'routes: [{ name: all, forward: [{ cluster: other }] }]')
  const [line] = await proxy.says(/error: there is no cluster.*\n/)
  expect(line).toMatch(/file=\S*parts\/routes.yaml line=1 path="routes\[0\].forward\[0\].cluster"/)
  part('clusters.yaml', `clusters: [{ name: other, endpoints: ['${two.address}'] }]`)
  await proxy.says(/reloaded.*generation=2/)
  expect(await ask(proxy.url)).toBe('two\n')
  expect(await proxy.stop()).toBe(0)
})

it('SIGHUP and a change at once are one reload, and the same file again is none', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const proxy = await ProxyProcess.start(one.address, { watch: true })
  const changed = { ...proxy.config, clusters: [{ name: 'app', endpoints: [two.address] }] }
  expect(await proxy.reload(changed)).toContain('generation=2')
  expect(await proxy.reload(changed)).toContain('what is served did not change')
  expect((await proxy.stats()).generation).toBe(2)
  expect(await ask(proxy.url)).toBe('two\n')
  expect(await proxy.stop()).toBe(0)
})

it('with --no-watch only the signal reloads', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const proxy = await ProxyProcess.start(one.address)
  proxy.write({ ...proxy.config, clusters: [{ name: 'app', endpoints: [two.address] }] })
  await request(`${proxy.url}/bytes/1`).then(({ body }) => body.dump())
  expect(proxy.output).not.toContain('reloaded')
  proxy.signal('SIGHUP')
  await proxy.says(/reloaded.*generation=2/)
  expect(await ask(proxy.url)).toBe('two\n')
  expect(await proxy.stop()).toBe(0)
})
