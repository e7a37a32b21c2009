/** The examples of filters as they stand: compiled with types, run with the built package before real services. */
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ask, CountedService, closeServices } from '../../kit/counted-service.js'
import { realAddon } from '../../kit/faulty-threads.js'
import { freePort, WeftProcess, writeConfig } from '../../kit/weft-process.js'

const run = promisify(execFile)
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-examples-'))
})
afterEach(() => rmSync(folder, { recursive: true }))
afterAll(closeServices)

describe('embed.ts', () => {
  it('has the types that it says', () => {
    const tsconfig = {
      extends: resolve('tsconfig.json'),
      compilerOptions: {
        noEmit: true,
        typeRoots: [resolve('node_modules/@types')],
        paths: { weftmesh: [resolve('src/index.ts')] },
      },
      files: [resolve('test/examples/embed.ts')],
      include: [],
      exclude: [],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
    execFileSync('node', [resolve('node_modules/typescript/bin/tsc'), '-p', folder], { stdio: 'pipe' })
  })

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

describe('tenant.js and sign.js', () => {
  it('stand on a listener and on a cluster of a file', async () => {
    const service = await CountedService.start('app')
    for (const name of ['tenant.js', 'sign.js']) copyFileSync(`test/examples/${name}`, join(folder, name))
    const port = await freePort()
    const file = writeConfig(
      {
        listeners: [
          {
            name: 'edge',
            address: `127.0.0.1:${port}`,
            limits: { maxConnections: 50 },
            filters: [{ module: './tenant.js', options: { header: 'x-tenant' } }],
          },
        ],
        routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
        clusters: [{ name: 'app', endpoints: [`127.0.0.1:${service.port}`], filters: [{ module: './sign.js' }] }],
      },
      folder,
    )
    const weft = new WeftProcess(['run', '-c', file], { WEFT_ADDON: realAddon })
    await weft.says(' ready in ')
    expect((await ask(port, 'acme.example')).body).toBe('app')
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
