/** The examples of filters as they stand: compiled with types, run with the built package before real services. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { request } from 'undici'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CountedService, closeServices } from '../../kit/counted-service.js'
import { checkExampleTypes } from '../../kit/example-types.js'
import { realAddon } from '../../kit/faulty-threads.js'
import { freePort } from '../../kit/free-port.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { WeftProcess, writeConfig } from '../../kit/weft-process.js'

const run = promisify(execFile)
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-examples-'))
})
afterEach(async () => {
  rmSync(folder, { recursive: true })
  await endPrograms()
})
afterAll(closeServices)

describe('embed.ts', () => {
  it('has the types that it says', () => checkExampleTypes('test/examples/embed.ts'))

  it('starts, changes its configuration, tells its counts and ends by itself', async () => {
    const { stdout } = await run('node', [await bundled(readFileSync('test/examples/embed.ts', 'utf8'))], {
      timeout: 30_000,
    })
    expect(stdout).toMatch(/\{ host: '127\.0\.0\.1', port: \d+ \}/)
    expect(stdout).toMatch(/^2 \[\]$/m)
  })

  it('serves with its filter', async () => {
    const service = await CountedService.start('app')
    const text = readFileSync('test/examples/embed.ts', 'utf8').replaceAll(
      '127.0.0.1:9000',
      `127.0.0.1:${service.port}`,
    )
    // The same, asked before it changes anything.
    const asked = text.replace(
      'const result =',
      `const { port } = proxy.address('edge')
       const { get } = await import('node:http')
       const head = (host: string) => new Promise((resolve) =>
         get({ port, host: '127.0.0.1', headers: { host } }, (answer: any) => resolve(answer.resume())))
       const answer: any = await head('acme.example')
       console.log(answer.statusCode, 'server' in answer.headers)
       const result =`,
    )
    expect(asked).not.toBe(text)
    service.answer = (_, response) => response.setHeader('server', 'app').end('app')
    const { stdout } = await run('node', [await bundled(asked)], { timeout: 30_000 })
    expect(stdout).toMatch(/^200 false$/m)
    expect(service.last?.headers['x-tenant']).toBe('acme')
  })
})

describe('a program with a filter in the pool', () => {
  it('ends by itself once its proxy is closed', async () => {
    copyFileSync('test/examples/scrub.js', join(folder, 'scrub.js'))
    const module = JSON.stringify(join(folder, 'scrub.js'))
    const text = `
      import { startProxy } from 'weftmesh'
      const filters = [{ module: ${module}, runIn: 'pool' as const }]
      const listeners = [{ name: 'edge', address: '127.0.0.1:0', filters, limits: { maxConnections: 50 } }]
      const proxy = await startProxy({ listeners, routes: [{ name: 'all', respond: { status: 200, body: 'ok' } }] })
      const answer = await fetch('http://127.0.0.1:' + proxy.address('edge').port, { method: 'POST', body: 'x' })
      console.log(answer.status, await answer.text())
      await proxy.close()`
    const { stdout } = await run('node', [await bundled(text)], { timeout: 30_000 })
    expect(stdout).toBe('200 ok\n')
  })
})

describe('filters.yaml', () => {
  it('is valid as it stands, with the modules that it names', async () => {
    const told = await outputOf('node', ['dist/weft.js', 'validate', '-c', 'test/examples/filters.yaml'])
    expect(told).toContain('2 listeners, 1 route, 1 cluster')
  })
})

describe('tenant.js, scrub.js and sign.js', () => {
  it('stand in a file as filters.yaml names them: in place, in the pool, on a cluster', async () => {
    const service = await CountedService.start('app')
    service.answer = (incoming, response) => {
      let body = ''
      incoming.on('data', (data) => {
        body += data
      })
      incoming.on('end', () => response.end(body))
    }
    for (const name of ['tenant.js', 'scrub.js', 'sign.js']) copyFileSync(`test/examples/${name}`, join(folder, name))
    const port = await freePort()
    const filters = [
      { module: './tenant.js', options: { header: 'x-tenant' } },
      { module: './scrub.js', runIn: 'pool', timeBudget: '2s', onFailure: 'open', maxBodyBytes: 65_536 },
    ]
    const clusters = [{ name: 'app', endpoints: [`127.0.0.1:${service.port}`], filters: [{ module: './sign.js' }] }]
    const listeners = [{ name: 'edge', address: `127.0.0.1:${port}`, limits: { maxConnections: 50 }, filters }]
    const config = { listeners, routes: [{ name: 'all', forward: [{ cluster: 'app' }] }], clusters }
    const weft = new WeftProcess(['run', '-c', writeConfig(config, folder)], { WEFT_ADDON: realAddon })
    await weft.says(' ready in ')
    const answer = await request(`http://127.0.0.1:${port}/pay`, {
      method: 'POST',
      headers: { host: 'acme.example' },
      body: 'pay with 4111 1111 1111 1111 now',
    })
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, 'pay with [card] now'])
    expect(service.last?.headers['x-tenant']).toBe('acme')
    expect(service.last?.headers['x-signature']).toMatch(/^[0-9a-f]{64}$/)
    weft.signal('SIGTERM')
    expect(await weft.ended).toBe(0)
  })
})

/** A program that runs, with the built package under its name. */
async function bundled(text: string): Promise<string> {
  const outfile = join(folder, 'program.mjs')
  await build({
    stdin: { contents: text, loader: 'ts', resolveDir: folder },
    ...{ outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' },
    plugins: [
      {
        name: 'package',
        setup({ onResolve }) {
          onResolve({ filter: /^weftmesh$/ }, () => ({ path: resolve('dist/index.js'), external: true }))
        },
      },
    ],
  })
  return outfile
}
