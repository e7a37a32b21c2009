/** A unix socket as a listener: its file, its permissions, its end, and what stands there already. */
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { value } from '../../kit/h1-message.js'
import { Program } from '../../kit/program.js'
import { entry, ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'

let upstream: ScriptedUpstream
let path: string
const running: ProxyProcess[] = []

beforeEach(async () => {
  upstream = await ScriptedUpstream.open()
  upstream.answerAll()
  path = join(scratchFolder(), 'edge.sock')
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((proxy) => proxy.stop()))
  await upstream.close()
})

async function start(listener: object, config: object = {}): Promise<ProxyProcess> {
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, { listener, config })
  running.push(proxy)
  return proxy
}

async function ask(socketPath: string, headers: Record<string, string> = {}): Promise<number> {
  const client = new Client('http://a.example', { socketPath })
  const { statusCode, body } = await client.request({ method: 'GET', path: '/', headers })
  await body.text()
  await client.close()
  return statusCode
}

test('requests come in through the file, which goes at the end', async () => {
  const log = join(scratchFolder(), 'log')
  const accessLog = { path: log, format: '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS%' }
  const proxy = await start({ address: `unix:${path}`, socketMode: '600', accessLog }, { workers: 2 })
  expect(proxy.output).toContain(`edge http unix:${path}`)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  for (let turn = 0; turn < 20; turn += 1) expect(await ask(path)).toBe(200)
  expect(upstream.seen[0] && value(upstream.seen[0], 'x-forwarded-for')).toBe('unknown')
  await running.pop()?.stop()
  expect(existsSync(path)).toBe(false)
})

test('behind a trusted proxy on the socket the client is the one that it names', async () => {
  const filters = [
    {
      type: 'local-rate-limit',
      buckets: [{ name: 'each', key: [{ clientAddress: true }], tokens: 1, refill: 1, every: '5h' }],
    },
  ]
  await start({ address: `unix:${path}`, trustedHops: 1, filters })
  const of = (address: string) => ask(path, { 'x-forwarded-for': address })
  expect([await of('1.1.1.1'), await of('1.1.1.1'), await of('2.2.2.2')]).toEqual([200, 429, 200])
  // Nobody is named: there is no address to count by.
  expect([await ask(path), await ask(path)]).toEqual([200, 200])
})

test('the file of a process that was killed is taken over', async () => {
  const killed = await start({ address: `unix:${path}` })
  running.pop()
  killed.signal('SIGKILL')
  await killed.ended
  expect(existsSync(path)).toBe(true)
  await start({ address: `unix:${path}` })
  expect(await ask(path)).toBe(200)
})

test('a socket on which somebody answers, and a file that is none, are left alone', async () => {
  const other = createServer().listen(path)
  const refused = await ProxyProcess.launch(`127.0.0.1:${upstream.port}`, { listener: { address: `unix:${path}` } })
  expect(await refused.ended).toBe(2)
  expect(refused.output).toContain('another process listens there')
  other.close()
  const file = join(scratchFolder(), 'precious')
  writeFileSync(file, 'text')
  const again = await ProxyProcess.launch(`127.0.0.1:${upstream.port}`, { listener: { address: `unix:${file}` } })
  expect(await again.ended).toBe(2)
  expect(again.output).toContain('not a socket')
})

test('a reload moves a listener from one file to another and back to a port', async () => {
  const proxy = await start({ address: `unix:${path}` })
  const folder = join(scratchFolder(), 'sub')
  mkdirSync(folder)
  const moved = (address: string, socketMode: string | null = null) => {
    const listeners = proxy.config.listeners.map((listener) => ({ ...listener, address, socketMode }))
    return proxy.reload({ ...proxy.config, listeners })
  }
  await moved(`unix:${folder}/edge.sock`, '600')
  await moved(`unix:${folder}/edge.sock`, '640')
  expect(statSync(join(folder, 'edge.sock')).mode & 0o777).toBe(0o640)
  expect(await ask(join(folder, 'edge.sock'))).toBe(200)
  expect(existsSync(path)).toBe(false)
  await moved(`127.0.0.1:${proxy.port}`)
  expect((await fetch(proxy.url)).status).toBe(200)
  expect(existsSync(join(folder, 'edge.sock'))).toBe(false)
})

test('a process that takes over takes the file as well', async () => {
  const env = { XDG_RUNTIME_DIR: scratchFolder() }
  const before = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, { listener: { address: `unix:${path}` }, env })
  const after = new Program(process.execPath, [entry, 'run', '-c', before.file, '--takeover'], { env })
  await after.says(' ready in ')
  expect(await before.ended).toBe(0)
  expect(await ask(path)).toBe(200)
  after.signal('SIGTERM')
  expect(await after.ended).toBe(0)
  expect(existsSync(path)).toBe(false)
})

test('an abstract name needs no file', async () => {
  const name = `weft-test-${process.pid}`
  await start({ address: `unix:@${name}` })
  const client = `import socket
s = socket.socket(socket.AF_UNIX)
s.connect(b"\\0${name}")
s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
print(s.recv(4096).decode())`
  const program = new Program('python3', ['-c', client])
  expect(await program.ended).toBe(0)
  expect(program.output).toMatch(/^HTTP\/1\.1 200 OK/)
})
