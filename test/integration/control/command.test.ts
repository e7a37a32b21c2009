/** `weft control` and the commands that steer it, as processes. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import { afterEach, describe, expect, it } from 'vitest'
import { httpRoute as route } from '../../kit/control.js'
import { type ControlProcess, startControlProcess } from '../../kit/control-process.js'
import { freePort } from '../../kit/free-port.js'
import { endPrograms, Program } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

function writeResources(...resources: object[]): string {
  const file = join(scratchFolder(), 'mesh.yaml')
  writeFileSync(file, resources.map((one) => `---\n${dump(one)}`).join(''))
  return file
}

const spec = (weight: number) => ({
  parentRefs: [{ group: '', kind: 'Service', name: 'reviews' }],
  rules: [{ backendRefs: [{ name: 'reviews-v1', port: 9080, weight }] }],
})
const httpRoute = (name: string, its: object = spec(1), metadata: object = {}) => route(name, its, metadata)

/** Times, versions and token ids differ from run to run. */
const settled = (text: string) =>
  text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/token:[0-9a-f]{8}\(first\)/g, 'FIRST')
    .replace(/up \d+\w/, 'up AGE')
    .replace(/ \d+s$/gm, ' AGE')

describe('weft control', () => {
  it('keeps what was applied over a kill, and hands out the first token once, in a file for its owner', async () => {
    const first = await startControlProcess()
    expect(first.program.output).toContain(`the first admin's token is in ${join(first.data, 'admin.token')}`)
    const { stdout } = await first.weft('apply', '-f', writeResources(httpRoute('a', spec(1)), httpRoute('b', spec(2))))
    expect(stdout).toBe('HTTPRoute default/a created\nHTTPRoute default/b created\n')
    await first.program.kill()
    const second = await startControlProcess('--data', first.data)
    expect(second.program.output).toMatch(/revision 2, 2 resources/)
    expect(second.program.output).not.toContain("first admin's token")
    second.program.signal('SIGTERM')
    expect(await second.program.end()).toBe(0)
  })

  it('refuses to start twice on one folder, on an open address without TLS, and on a wrong configuration', async () => {
    const { data } = await startControlProcess()
    const refused = async (...args: string[]) => {
      const program = new Program(process.execPath, ['dist/weft.js', 'control', ...args])
      return [await program.end(), program.output] as const
    }
    expect(await refused('--data', data, '--listen', '127.0.0.1:0')).toEqual([
      1,
      expect.stringContaining('another process has the data folder'),
    ])
    expect(await refused('--data', scratchFolder(), '--listen', '0.0.0.0:0')).toEqual([
      2,
      expect.stringContaining('give tls.certificate and tls.key, or listen on 127.0.0.1'),
    ])
    const file = join(scratchFolder(), 'control.yaml')
    writeFileSync(file, `data: ${scratchFolder()}\nlimits: { maxBodyByte: 5 }\nlisten: nowhere\n`)
    const [code, output] = await refused('-c', file)
    expect(code).toBe(2)
    expect(output).toContain(
      `${file}:2  limits.maxBodyByte  \`maxBodyByte\` is not a known key; did you mean \`maxBodyBytes\`?`,
    )
    expect(output).toContain(`${file}:3  listen  "nowhere" is not an address`)
    expect((await refused('--store', 'etcd', '--data', scratchFolder()))[0]).toBe(2)
  })
})

describe('the commands of the control plane', () => {
  it('tell the story of a resource', async () => {
    const { weft } = await startControlProcess()
    const one = writeResources(httpRoute('reviews', spec(90), { labels: { app: 'reviews' } }))
    const two = writeResources(httpRoute('reviews', spec(10), { labels: { app: 'reviews' } }))
    expect(await weft('diff', '-f', one)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('+        - name: reviews-v1'),
    })
    const applied = await weft('apply', '-f', one)
    expect(applied).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('kept; no data plane is connected that it concerns\n'),
    })
    expect(applied.stderr).toContain(`notice: ${one}:10  spec.parentRefs[0]  there is no Service default/reviews`)
    expect((await weft('diff', '-f', one)).stdout).toBe('no difference\n')
    expect((await weft('diff', '--exit-code', '-f', two)).code).toBe(1)
    await expect((await weft('diff', '-f', two)).stdout).toMatchFileSnapshot('../../golden/control/diff.txt')
    await weft('apply', '-f', two)
    expect((await weft('apply', '-f', two)).stdout).toBe('HTTPRoute default/reviews unchanged\n')
    await expect(settled((await weft('get')).stdout)).toMatchFileSnapshot('../../golden/control/get.txt')
    await expect(settled((await weft('describe', 'httproute', 'reviews')).stdout)).toMatchFileSnapshot(
      '../../golden/control/describe.txt',
    )
    expect(await weft('rollback', 'httproute', 'reviews', '--dry-run')).toMatchObject({
      stdout: expect.stringContaining('+          weight: 90'),
    })
    expect((await weft('rollback', 'httproute', 'reviews')).stdout).toBe('HTTPRoute default/reviews changed\n')
    expect((await weft('delete', 'httproute', 'reviews')).stdout).toBe('HTTPRoute default/reviews deleted\n')
    expect(await weft('get', 'httproute', 'reviews')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('deleted it in revision 5'),
    })
    expect((await weft('rollback', 'httproute', 'reviews', '--to', '3')).stdout).toBe(
      'HTTPRoute default/reviews created\n',
    )
    await expect(settled((await weft('history', 'httproute', 'reviews')).stdout)).toMatchFileSnapshot(
      '../../golden/control/history.txt',
    )
    await expect(settled((await weft('status')).stdout)).toMatchFileSnapshot('../../golden/control/status.txt')
  })

  it('print what can be applied again, and refuse what somebody has changed since', async () => {
    const { weft, data } = await startControlProcess()
    await weft('apply', '-f', writeResources(httpRoute('a', spec(1)), httpRoute('b', spec(2))))
    const file = join(data, 'edited.yaml')
    writeFileSync(file, (await weft('get', '--output', 'yaml')).stdout)
    expect((await weft('apply', '-f', file)).stdout).toBe(
      'HTTPRoute default/a unchanged\nHTTPRoute default/b unchanged\n',
    )
    await weft('apply', '-f', writeResources(httpRoute('a', spec(3))))
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('weight: 1', 'weight: 5'))
    expect(await weft('apply', '-f', file)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /default\/a was to be at version 2, but token:\w+\(first\) wrote version 3 at .*read it again/,
      ),
    })
    const { stdout } = await weft('get', 'httproutes', '--output', 'json')
    expect(JSON.parse(stdout).items).toHaveLength(2)
  })

  it('name file and line of every issue', async () => {
    const { weft } = await startControlProcess()
    const file = join(scratchFolder(), 'mesh.yaml')
    const head = 'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n'
    const spec = 'spec:\n  parentRefs: [{ group: "", kind: Service, name: a }]\n'
    writeFileSync(file, `${head}metadata: { name: a }\n${spec}---\n${head}metadata: { name: B }\n${spec}  rulez: []\n`)
    const { code, stderr } = await weft('apply', '-f', file)
    expect(code).toBe(2)
    expect(stderr.split('\n')).toEqual([
      `error: ${file} has 2 issues [WEFT_CONFIG_INVALID]`,
      expect.stringContaining(`  ${file}:9  metadata.name  must be lower-case`),
      `  ${file}:12  spec.rulez  \`rulez\` is not a known key; did you mean \`rules\`?  [WEFT_CONFIG_UNKNOWN_KEY]`,
      '',
    ])
    expect(await weft('validate', '-f', file)).toMatchObject({ code: 2, stderr })
    expect(await weft('apply', '-f', '/nowhere.yaml')).toMatchObject({ code: 2 })
  })

  it('check resources without a control plane', async () => {
    const valid = new Program(process.execPath, ['dist/weft.js', 'validate', '-f', writeResources(httpRoute('a'))])
    expect(await valid.end()).toBe(0)
    expect(valid.stdout).toMatch(/mesh\.yaml is valid: 1 resource\n$/)
    expect(valid.stderr).toMatch(
      /^notice: .*mesh\.yaml:8 {2}spec\.parentRefs\[0\] {2}there is no Service default\/reviews/,
    )
    const example = new Program(process.execPath, ['dist/weft.js', 'validate', '-f', 'test/examples/mesh.yaml'])
    expect([await example.end(), example.stdout]).toEqual([0, 'test/examples/mesh.yaml is valid: 5 resources\n'])
  })

  it('follow changes as they happen', async () => {
    const { weft, start } = await startControlProcess()
    await weft('apply', '-f', writeResources(httpRoute('a', spec(1))))
    const watch = start('get', 'httproute', '-w')
    await watch.says('added     HTTPRoute  default/a')
    await weft('apply', '-f', writeResources(httpRoute('b', spec(1)), httpRoute('a', spec(2))))
    await watch.says('changed   HTTPRoute  default/a')
    await weft('delete', 'httproute', 'b')
    await watch.says('deleted   HTTPRoute  default/b')
    await watch.kill()
  })

  it('follow what has a label, workloads and the status as they change', async () => {
    const { weft, start, url, token, program, data, xds } = await startControlProcess()
    const labelled = (tier: string) => httpRoute('a', spec(1), { labels: { tier } })
    await weft('apply', '-f', writeResources(labelled('web'), httpRoute('b')))
    const watch = start('get', 'httproute', '-w', '-l', 'tier=web')
    await watch.says('added     HTTPRoute  default/a')
    await weft('apply', '-f', writeResources(httpRoute('b', spec(2)), labelled('none')))
    await watch.says('deleted   HTTPRoute  default/a')
    expect(watch.stdout).not.toContain('default/b')

    const [workloads, status] = [start('get', 'workloads', '-w'), start('status', '-w')]
    await status.says('0 services, 0 workloads')
    const headers = { authorization: `Bearer ${token}` }
    const body = JSON.stringify({ service: 's', id: 's-1', port: 9 })
    await fetch(`${url}/v1/workloads`, { method: 'POST', headers, body })
    await workloads.says('added     default/s:s-1  healthy\n')
    await status.says('1 services, 1 workloads')
    await fetch(`${url}/v1/workloads/default/s/s-1/heartbeat`, {
      method: 'POST',
      headers,
      body: '{"health":"draining"}',
    })
    await workloads.says('changed   default/s:s-1  draining\n')
    // They outlive the control plane, and say each change once.
    await program.kill()
    await status.says(/does not answer.*; trying again\n/)
    await startControlProcess('--data', data, '--listen', new URL(url).host, '--xds', xds)
    await weft('token', 'create', '--name', 'x', '--role', 'viewer')
    await fetch(`${url}/v1/workloads/default/s/s-1`, { method: 'DELETE', headers })
    await workloads.says('deleted   default/s:s-1  draining\n')
    await status.says(/0 services, 0 workloads/, status.output.indexOf('trying again'))
    expect(workloads.stdout.trimEnd().split('\n')).toHaveLength(3)
    for (const one of [watch, workloads, status]) await one.kill()
  })

  it('make, list and revoke tokens, also in the folder of a control plane that is not running', async () => {
    const control = await startControlProcess()
    const { weft, data } = control
    const made = await weft('token', 'create', '--name', 'ci', '--role', 'viewer', '-n', 'shop', '--expires-in', '24h')
    expect(made.stdout).toMatch(/^weft_[0-9a-f]{8}_[\w-]{43}\n$/)
    const id = made.stdout.split('_')[1] ?? ''
    expect((await weft('token', 'list')).stdout).toMatch(new RegExp(`${id}  ci     viewer  shop`))
    expect((await weft('apply', '--token', made.stdout.trim(), '-f', writeResources(httpRoute('a')))).code).toBe(1)
    expect((await weft('token', 'revoke', id)).stdout).toBe(`${id} is revoked\n`)
    expect(await weft('get', '--token', made.stdout.trim())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it may have been revoked'),
    })
    const offline = ['token', 'create', '--name', 'rescue', '--role', 'admin', '--data', data]
    expect(await weft(...offline)).toMatchObject({ code: 1, stderr: expect.stringContaining('another process has') })
    control.program.signal('SIGTERM')
    await control.program.end()
    const rescued = (await weft(...offline)).stdout.trim()
    const again = await startControlProcess('--data', data)
    expect((await again.weft('get', '--token', rescued)).code).toBe(0)
  })

  it('read where the server is from a file, and say so when nobody answers', async () => {
    const { url, token, data } = await startControlProcess()
    const file = join(data, 'client.yaml')
    writeFileSync(file, `server: ${url}\ntokenFile: admin.token\n`)
    expect(token).not.toBe('')
    const run = async (env: Record<string, string>) => {
      const program = new Program(process.execPath, ['dist/weft.js', 'get'], { env })
      return [await program.end(), program.output] as const
    }
    expect(await run({ WEFT_CONFIG: file })).toEqual([0, 'no resources\n'])
    expect(await run({ WEFT_SERVER: 'http://127.0.0.1:1', XDG_CONFIG_HOME: data })).toEqual([
      1,
      expect.stringContaining('http://127.0.0.1:1 does not answer: nobody listens there (is `weft control` running?'),
    ])
    writeFileSync(file, 'servers: x\n')
    expect(await run({ WEFT_CONFIG: file })).toEqual([2, expect.stringContaining('did you mean `server`?')])
  })
})

describe('weft register', () => {
  /** An application that serves on a port and says which signal ended it. */
  const app = (port: number, code = 7) => [
    process.execPath,
    '-e',
    `const s = require('http').createServer((q, r) => r.end()).listen(${port}, '127.0.0.1', () => console.log('app up'));
     process.on('SIGTERM', () => { console.log('app told'); s.close(); process.exit(${code}) })`,
  ]
  const workloads = async ({ weft }: ControlProcess) =>
    JSON.parse((await weft('get', 'workloads', '--output', 'json')).stdout).items

  it('registers an application once it serves, deregisters before it passes the signal on, ends with its code', async () => {
    const control = await startControlProcess()
    const port = await freePort()
    const options = [
      '--service',
      'reviews',
      '--port',
      String(port),
      '--version',
      'v2',
      '--zone',
      'east-a',
      '--label',
      'tier=web',
    ]
    const run = control.start('register', ...options, '--', ...app(port))
    await run.says(`registered default/reviews:127.0.0.1:${port}`)
    expect(await workloads(control)).toMatchObject([
      {
        service: 'reviews',
        port,
        zone: 'east-a',
        labels: { app: 'reviews', tier: 'web', version: 'v2' },
        health: 'healthy',
      },
    ])
    run.signal('SIGTERM')
    expect(await run.end()).toBe(7)
    expect(run.output.indexOf('deregistered')).toBeGreaterThan(0)
    expect(run.output.indexOf('deregistered')).toBeLessThan(run.output.indexOf('app told'))
    expect(await workloads(control)).toEqual([])
  })

  it('deregisters an application that ends by itself, and registers none that never serves', async () => {
    const control = await startControlProcess()
    const port = await freePort()
    const ends = `require('http').createServer(() => process.exit(3)).listen(${port}, '127.0.0.1')`
    const app = [process.execPath, '-e', ends]
    const run = control.start('register', '--service', 's', '--port', String(port), '--', ...app)
    await run.says('registered default/s')
    await fetch(`http://127.0.0.1:${port}`).catch(() => {})
    expect(await run.end()).toBe(3)
    expect(run.output).toContain('deregistered default/s')
    const never = await control.weft(
      'register',
      '--service',
      's',
      '--port',
      String(port),
      '--',
      process.execPath,
      '-e',
      'process.exit(5)',
    )
    expect([never.code, never.stderr]).toEqual([5, ''])
    expect(await workloads(control)).toEqual([])
  })

  it('comes through a restart of the control plane, and is registered anew when it was forgotten', async () => {
    const first = await startControlProcess()
    const run = first.start('register', '--service', 'reviews', '--port', '9', '--ttl', '3s')
    await run.says('registered default/reviews')
    await first.program.kill()
    await run.says(/does not answer.*trying again/)
    const second = await startControlProcess('--data', first.data, '--listen', new URL(first.url).host)
    expect(await workloads(second)).toHaveLength(1)
    const from = run.output.length
    const { stdout } = await second.weft('get', 'workloads', '--output', 'json')
    const { id, epoch } = JSON.parse(stdout).items[0]
    const gone = await fetch(`${second.url}/v1/workloads/default/reviews/${id}?epoch=${epoch}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${first.token}` },
    })
    expect(gone.status).toBe(200)
    await run.says('registered default/reviews', from)
    run.signal('SIGTERM')
    expect(await run.end()).toBe(0)
    expect(await workloads(second)).toEqual([])
  })

  it('ends an application that may not be registered', async () => {
    const control = await startControlProcess()
    const port = await freePort()
    const run = control.start(
      'register',
      '--token',
      'wrong',
      '--service',
      's',
      '--port',
      String(port),
      '--',
      ...app(port),
    )
    expect(await run.end()).toBe(1)
    expect(run.output).toContain('app told')
    expect(run.output).toContain('[WEFT_ACCESS_TOKEN]')
    expect(existsSync(control.data)).toBe(true)
  })
})
