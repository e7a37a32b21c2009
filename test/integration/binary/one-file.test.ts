/** The command in one file, where there is nothing else: no Node, no packages, no environment. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../kit/free-port.js'
import { endOneFiles, portOf, runOneFile, startOneFile } from '../../kit/one-file.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'
import { startUpstream, type Upstream } from '../../kit/upstream.js'
import { writeConfig } from '../../kit/weft-process.js'

let upstream: Upstream
/** Unpacked to once; only the first start of this file pays for it. */
let files: string
beforeAll(async () => {
  upstream = await startUpstream()
  files = join(scratchFolder(), 'files')
})
afterEach(endOneFiles)
afterAll(() => {
  upstream.close()
  removeScratch()
})

/** The example as it stands, on ports that are free. */
function minimal(more = ''): string {
  const example = readFileSync('test/examples/minimal.yaml', 'utf8')
  const text = example.replace('127.0.0.1:8080', '127.0.0.1:0').replace('127.0.0.1:9000', upstream.address)
  const folder = scratchFolder()
  return writeConfig(`${text}${more}`, folder)
}

describe('the command in one file', () => {
  it('serves the smallest configuration with an empty environment', async () => {
    const weft = startOneFile(['run', '-c', minimal()])
    const answer = await fetch(`http://127.0.0.1:${await portOf(weft)}/hello`)
    expect([answer.status, answer.headers.get('x-asked')]).toEqual([200, 'GET /hello'])
    weft.signal('SIGTERM')
    expect(await weft.ended).toBe(0)
  })

  it('answers what needs no engine without laying down a file', async () => {
    const untouched = join(scratchFolder(), 'files')
    const { code, stdout } = await runOneFile(['run', '--help'], { WEFT_FILES: untouched })
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'Usage: weft run [options] [app...]'])
    expect(existsSync(untouched)).toBe(false)
  })

  it('names its engine and the Node that is built in', async () => {
    const { stdout } = await runOneFile(['version', '--output', 'json'], { WEFT_FILES: files })
    expect(JSON.parse(stdout)).toEqual({
      weft: expect.stringMatching(/^\d/),
      engine: expect.stringMatching(/^\d/),
      node: '20.20.2',
    })
  })

  it('refuses a wrong configuration with line and suggestion, and ends with 2', async () => {
    const file = writeConfig('listeners:\n  - name: edge\n    adress: 127.0.0.1:1\n', scratchFolder())
    const { code, stderr } = await runOneFile(['validate', '-c', file], { WEFT_FILES: files })
    expect(code).toBe(2)
    expect(stderr).toContain(`${file}:3  listeners[0].adress  \`adress\` is not a known key; did you mean \`address\`?`)
  })

  it('reads a configuration that changed, in a thread of its own', async () => {
    const file = minimal()
    const weft = startOneFile(['run', '-c', file, '--no-watch'], { WEFT_FILES: files })
    const port = await portOf(weft)
    const answers = 'respond: { status: 404, body: changed }'
    const changed = readFileSync(file, 'utf8').replace('forward: [{ cluster: app }]', answers)
    writeFileSync(file, changed)
    weft.signal('SIGHUP')
    await weft.says('reloaded file=')
    const answer = await fetch(`http://127.0.0.1:${port}/`)
    expect([answer.status, await answer.text()]).toEqual([404, 'changed'])
  })

  it('opens its admin server, whose native part is built in as well', async () => {
    const address = `127.0.0.1:${await freePort()}`
    const weft = startOneFile(['run', '-c', minimal(`admin: { address: '${address}' }\n`)], { WEFT_FILES: files })
    await portOf(weft)
    expect((await fetch(`http://${address}/ready`)).status).toBe(200)
    expect(weft.stderr).not.toContain('not compatible')
  })

  it('is started again by its supervisor when it was killed', async () => {
    const port = await freePort()
    const text = readFileSync(minimal(), 'utf8').replace('127.0.0.1:0', `127.0.0.1:${port}`)
    const weft = startOneFile(['run', '--supervise', '-c', writeConfig(text, scratchFolder())], { WEFT_FILES: files })
    await portOf(weft)
    const { pid } = weft.child
    const [proxy] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    weft.stderr = ''
    process.kill(Number(proxy), 'SIGKILL')
    await weft.says(' ready in ')
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200)
    weft.signal('SIGTERM')
    expect(await weft.ended).toBe(0)
  })

  it('runs an application and gives its exit code', async () => {
    const app = ['--', '/bin/sh', '-c', 'exit 7']
    const { code } = await runOneFile(['run', '-c', minimal(), ...app], { WEFT_FILES: files })
    expect(code).toBe(7)
  })

  it('runs the control plane', async () => {
    const data = join(scratchFolder(), 'data')
    const ports = [await freePort(), await freePort()]
    const listen = ['--listen', `127.0.0.1:${ports[0]}`, '--xds', `127.0.0.1:${ports[1]}`]
    const control = startOneFile(['control', '--data', data, ...listen])
    await control.says('control ready')
    expect(readdirSync(data)).toContain('admin.token')
  })

  it('says where it looked when no folder takes its files', async () => {
    const { code, stderr } = await runOneFile(['run', '-c', minimal()], { WEFT_FILES: '/proc/weft' })
    expect(code).toBe(1)
    expect(stderr).toContain('error: the files of weft cannot be unpacked: /proc/weft: ENOENT')
    expect(stderr).toContain('set WEFT_FILES to a folder that this user can write to and load programs from')
  })
})
