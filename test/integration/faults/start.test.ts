/** What keeps a proxy from starting: one clear line each, exit code 2, and nothing listens. */
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { endPrograms, Program } from '../../kit/program.js'
import { entry, ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
const asRoot = process.getuid?.() === 0

async function refused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const result = await Promise.race([
    once(socket, 'connect').then(() => false),
    once(socket, 'error').then(() => true),
  ]).catch(() => true)
  socket.destroy()
  return result
}

/** One line, ended with 2. */
async function fails(program: Program): Promise<string> {
  expect(await program.end(), program.output).toBe(2)
  return program.output
}

describe('a proxy that cannot start', () => {
  it('says that a port is taken, and opens none of its other listeners', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const first = await ProxyProcess.launch('127.0.0.1:9', { listener: { address: '127.0.0.1:0' } })
    first.signal('SIGKILL')
    const listeners = [
      { name: 'free', address: `127.0.0.1:${first.port}` },
      { name: 'edge', address: `127.0.0.1:${port}` },
    ]
    const proxy = await ProxyProcess.launch('127.0.0.1:9', { config: { listeners } })
    const text = await fails(proxy)
    expect(text).toBe(
      `error: ${proxy.file}  listeners[1].address  cannot listen on 127.0.0.1:${port}: another process listens there: ` +
        'stop it, or choose another address  [WEFT_LISTENER_BIND]\n',
    )
    expect(await refused(first.port)).toBe(true)
    taken.close()
  })

  it('says that the port of its admin server is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const proxy = await ProxyProcess.launch('127.0.0.1:9', { config: { admin: { address: `127.0.0.1:${port}` } } })
    expect(await fails(proxy)).toMatch(/^error: the admin server cannot listen on .* \[WEFT_ADMIN_ADDRESS\]\n$/)
    expect(await refused(proxy.port)).toBe(true)
    taken.close()
  })

  it.runIf(asRoot)('says that it may not take a port below 1024, and that it may not read its file', async () => {
    const low = await ProxyProcess.launch('127.0.0.1:9', { under: nobody, listener: { address: '127.0.0.1:81' } })
    chmodSync(dirname(low.file), 0o755)
    expect(await fails(low)).toContain('ports below 1024 need root or CAP_NET_BIND_SERVICE')
    const secret = await ProxyProcess.launch('127.0.0.1:9', { under: nobody })
    expect(await fails(secret)).toBe(
      `error: cannot read ${secret.file}: permission denied (name the file with -c FILE) [WEFT_CONFIG_UNREADABLE]\n`,
    )
  })

  it('says that an access log cannot be opened, with its path', async () => {
    const path = '/nowhere/access.log'
    const text = await fails(await ProxyProcess.launch('127.0.0.1:9', { listener: { accessLog: { path } } }))
    expect(text).toMatch(/^error: .* listeners\[0\]\.accessLog\.path {2}cannot open \/nowhere\/access\.log: .*\n$/)
  })

  it('says where a file stops being YAML, and names every issue of one that is', async () => {
    const file = join(scratchFolder(), 'weft.yaml')
    const run = () => new Program(process.execPath, [entry, 'run', '-c', file])
    writeFileSync(file, 'listeners:\n  - name: [edge\n    address: x\n')
    expect(await fails(run())).toMatch(/^error: .*weft\.yaml:\d+:\d+: .* \[WEFT_CONFIG_SYNTAX\]\n$/)
    writeFileSync(
      file,
      'listeners:\n  - { name: a, address: 1.2.3.4, limits: { maxHeaders: 0 } }\nroutes: 3\nclusers: []\n',
    )
    const lines = (await fails(run())).trim().split('\n')
    expect(lines[0]).toMatch(/has 4 issues \[WEFT_CONFIG_INVALID\]$/)
    expect(lines.slice(1).map((line) => /weft\.yaml:(\d+) {2}(\S+)/.exec(line)?.slice(1))).toEqual([
      ['2', 'listeners[0].address'],
      ['2', 'listeners[0].limits.maxHeaders'],
      ['3', 'routes'],
      ['4', 'clusers'],
    ])
    const missing = new Program(process.execPath, [entry, 'run', '-c', '/nowhere/weft.yaml'])
    expect(await fails(missing)).toMatch(/^error: cannot read .*there is no such file.*\n$/)
  })
})
