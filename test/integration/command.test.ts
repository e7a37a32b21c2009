/** The command as a process, around an engine that does nothing: exit codes, signals, the application, admin. */
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { decode } from 'msgpackr'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../kit/free-port.js'
import { scratchFolder } from '../kit/scratch.js'
import { fakeAddon, WeftProcess, weft, writeConfig } from '../kit/weft-process.js'

const config = (more: object = {}) => ({
  listeners: [{ name: 'edge', address: '127.0.0.1:8080', limits: { maxConnections: 100 } }],
  routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
  clusters: [{ name: 'app', endpoints: ['127.0.0.1:9000'] }],
  ...more,
})

const running: WeftProcess[] = []
afterEach(async () => {
  for (const run of running.splice(0)) {
    run.signal('SIGKILL')
    await run.ended
  }
})

function run(file: string, app: string[] = [], env: Record<string, string> = {}): WeftProcess {
  const args = app.length > 0 ? ['--', ...app] : []
  // A reload is asked for by signal here: one by the file's own change would come in between.
  const started = new WeftProcess(['run', '-c', file, '--no-watch', ...args], { WEFT_ADDON: fakeAddon, ...env })
  running.push(started)
  return started
}

const node = (script: string) => [process.execPath, '-e', script]

describe('weft validate', () => {
  it('says that a file is valid', async () => {
    const file = writeConfig(config())
    const { code, stdout } = await weft('validate', '-c', file)
    expect([code, stdout]).toEqual([0, `${file} is valid: 1 listener, 1 route, 1 cluster\n`])
  })

  it('prints every issue with its line and ends with 2', async () => {
    const file = writeConfig('listeners:\n  - name: edge\n    adress: 127.0.0.1:1\nworkers: 0\n')
    const { code, stderr } = await weft('validate', '-c', file)
    expect(code).toBe(2)
    expect(stderr.split('\n')).toEqual([
      `error: ${file} has 3 issues [WEFT_CONFIG_INVALID]`,
      `  ${file}:2  listeners[0].address  is missing; expected text  [WEFT_CONFIG_MISSING]`,
      `  ${file}:3  listeners[0].adress  \`adress\` is not a known key; did you mean \`address\`?  [WEFT_CONFIG_UNKNOWN_KEY]`,
      `  ${file}:4  workers  must be at least 1, found 0  [WEFT_CONFIG_VALUE]`,
      '',
    ])
  })

  it('prints JSON for programs', async () => {
    const { code, stdout } = await weft('validate', '-c', writeConfig('{}'), '--output', 'json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      issues: [{ path: 'listeners', code: 'WEFT_CONFIG_MISSING' }],
    })
  })

  it('ends with 2 for a missing file and for a wrong option', async () => {
    expect(await weft('validate', '-c', '/nowhere/weft.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no such file'),
    })
    expect((await weft('validate')).code).toBe(2)
    expect((await weft('valdate')).stderr).toContain('Did you mean validate')
  })
})

describe('weft compile', () => {
  it('writes the snapshot that the engine takes', async () => {
    const file = writeConfig(config())
    const out = join(dirname(file), 'snapshot.bin')
    const { code, stdout } = await weft('compile', '-c', file, '-o', out)
    expect([code, stdout]).toEqual([0, `${out}: ${statSync(out).size} bytes\n`])
    expect(decode(readFileSync(out))).toMatchObject({ format: 2, clusters: [{ name: 'app' }] })
  })

  it('refuses by name what needs TypeScript to be served', async () => {
    const doors = { ...config(), listeners: [{ name: 'edge', address: '127.0.0.1:8080', engine: 'uws' }] }
    const { code, stderr } = await weft('compile', '-c', writeConfig(doors), '-o', '/nowhere/snapshot.bin')
    expect([code, stderr]).toEqual([1, expect.stringContaining('listeners[0] is a door of uWebSockets.js')])
  })

  it('ends with 1 when it cannot write', async () => {
    const { code, stderr } = await weft('compile', '-c', writeConfig(config()), '-o', '/nowhere/snapshot.bin')
    expect(code).toBe(1)
    expect(stderr).toContain('[WEFT_SNAPSHOT_UNWRITABLE]')
  })
})

describe('weft run', () => {
  it('says what it does, drains on SIGTERM and ends with 0', async () => {
    const weft = run(writeConfig(config()))
    await weft.says('edge http 127.0.0.1:8080 → app (1 endpoint)')
    weft.signal('SIGTERM')
    expect(await weft.ended).toBe(0)
  })

  it('starts nothing on an invalid file', async () => {
    const weft = run(writeConfig(config({ workers: 'two' })))
    expect(await weft.ended).toBe(2)
    expect(weft.stderr).toContain('workers  expected a number, found "two"')
  })

  it('ends with 2 and one clear line when the engine refuses', async () => {
    const flag = join(scratchFolder(), 'reject')
    writeFileSync(flag, '')
    const weft = run(writeConfig(config()), [], { WEFT_FAKE_REJECT: flag })
    expect(await weft.ended).toBe(2)
    expect(weft.stderr).toMatch(/^error: .*address already in use.*\n$/)
  })

  it('reloads on SIGHUP, or says why not and stays as it was', async () => {
    const file = writeConfig(config())
    const flag = join(dirname(file), 'reject')
    const weft = run(file, [], { WEFT_FAKE_REJECT: flag })
    await weft.says(' ready in ')
    writeConfig(config({ drain: { deadline: '1s' } }), dirname(file))
    weft.signal('SIGHUP')
    await weft.says('generation=2')
    writeConfig('listeners: 7', dirname(file))
    weft.signal('SIGHUP')
    await weft.says('not reloaded, everything stays as it was')
    await weft.says('line=1 path=listeners code=WEFT_CONFIG_TYPE')
    writeConfig(config(), dirname(file))
    writeFileSync(flag, '')
    weft.signal('SIGHUP')
    await weft.says('address already in use')
    rmSync(flag)
    weft.signal('SIGHUP')
    await weft.says('generation=3')
    weft.signal('SIGINT')
    expect(await weft.ended).toBe(0)
  })

  it('logs JSON when asked', async () => {
    const weft = new WeftProcess(['run', '-c', writeConfig(config()), '--output', 'json'], { WEFT_ADDON: fakeAddon })
    running.push(weft)
    await weft.says('ready in')
    expect(JSON.parse(weft.stderr)).toMatchObject({ level: 'info', message: expect.stringContaining('edge http') })
  })
})

describe('weft run -- app', () => {
  it('ends with the exit code of the application', async () => {
    const weft = run(
      writeConfig(config()),
      node('console.log("app says " + process.argv[1]); process.exit(7)').concat('hi'),
    )
    expect(await weft.ended).toBe(7)
    expect(weft.stdout).toBe('app says hi\n')
    expect(weft.stderr).toContain(' ready in ')
  })

  it('passes SIGTERM on after the drain and waits for the application', async () => {
    const app = node(
      'process.on("SIGTERM", () => { console.log("app ends"); process.exit(3) }); console.log("app up"); setInterval(() => {}, 1e6)',
    )
    const weft = run(writeConfig(config()), app)
    await weft.says('app up')
    weft.signal('SIGTERM')
    expect(await weft.ended).toBe(3)
    expect(weft.stdout).toContain('app ends')
  })

  it('kills an application that outlives the deadline', async () => {
    const app = node(
      'process.on("SIGTERM", () => console.log("ignored")); console.log("app up"); setInterval(() => {}, 1e6)',
    )
    const weft = run(writeConfig(config({ drain: { deadline: '0s' } })), app)
    await weft.says('app up')
    weft.signal('SIGTERM')
    expect(await weft.ended).toBe(128 + 9)
    expect(weft.stdout).toContain('ignored')
  })

  it('ends at once on a second signal', async () => {
    const app = node(
      'process.on("SIGTERM", () => console.log("ignored")); console.log("app up"); setInterval(() => {}, 1e6)',
    )
    const weft = run(writeConfig(config({ drain: { deadline: '1h' } })), app)
    await weft.says('app up')
    weft.signal('SIGTERM')
    await weft.says('ignored')
    weft.signal('SIGTERM')
    expect(await weft.ended).toBe(128 + 9)
  })

  it('forwards other signals', async () => {
    const app = node('process.on("SIGUSR2", () => process.exit(9)); console.log("app up"); setInterval(() => {}, 1e6)')
    const weft = run(writeConfig(config()), app)
    await weft.says('app up')
    weft.signal('SIGUSR2')
    expect(await weft.ended).toBe(9)
  })

  it('says why an application cannot be started', async () => {
    const missing = run(writeConfig(config()), ['/nowhere/app'])
    expect(await missing.ended).toBe(1)
    expect(missing.stderr).toContain('cannot start /nowhere/app: no such program')
    const file = join(scratchFolder(), 'app')
    writeFileSync(file, '')
    chmodSync(file, 0o600)
    const forbidden = run(writeConfig(config()), [file])
    expect(await forbidden.ended).toBe(1)
    expect(forbidden.stderr).toContain('permission denied')
  })
})

describe('the admin server', () => {
  it('answers over HTTP, and POST /drain ends the process', async () => {
    const address = `127.0.0.1:${await freePort()}`
    const weft = run(writeConfig(config({ admin: { address } })))
    await weft.says(' ready in ')
    const ready = await fetch(`http://${address}/ready`)
    expect([ready.status, await ready.text()]).toEqual([200, 'ready\n'])
    expect(ready.headers.get('uwebsockets')).toBeNull()
    expect((await fetch(`http://${address}/nothing`)).status).toBe(404)
    expect((await fetch(`http://${address}/ready`, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(`http://${address}/drain`)).status).toBe(405)
    const dump = (await (await fetch(`http://${address}/config_dump`)).json()) as {
      config: { drain: { deadline: number } }
    }
    expect(dump.config.drain.deadline).toBe(20_000)
    expect((await fetch(`http://${address}/drain`, { method: 'POST' })).status).toBe(202)
    expect(await weft.ended).toBe(0)
  })

  it('warns when others can reach it', async () => {
    const weft = run(writeConfig(config({ admin: { address: `0.0.0.0:${await freePort()}` } })))
    await weft.says('the admin server can be reached from other machines')
  })

  it('ends the start with 2 when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    const { port } = await new Promise<{ port: number }>((resolve) => {
      other.once('listening', () => resolve(other.address() as { port: number }))
    })
    const weft = run(writeConfig(config({ admin: { address: `127.0.0.1:${port}` } })))
    expect(await weft.ended).toBe(2)
    expect(weft.stderr).toContain(`the admin server cannot listen on 127.0.0.1:${port}`)
    other.close()
  })
})
