/** Filters in TypeScript under the one-file command: their modules import a package that is installed nowhere. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { transform } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { endOneFiles, portOf, runOneFile, startOneFile } from '../../kit/one-file.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'
import { startUpstream, type Upstream } from '../../kit/upstream.js'
import { writeConfig } from '../../kit/weft-process.js'

let upstream: Upstream
let env: { WEFT_FILES: string }
let folder: string
beforeAll(async () => {
  upstream = await startUpstream()
  env = { WEFT_FILES: join(scratchFolder(), 'files') }
})
beforeEach(() => {
  folder = scratchFolder()
})
afterEach(endOneFiles)
afterAll(() => {
  upstream.close()
  removeScratch()
})

const tenant = `
  import { defineFilter } from 'weftmesh'

  export default defineFilter({
    name: 'tenant',
    onRequest(request) {
      const tenant: string | undefined = request.headers.get('x-user')?.split('@')[1]
      if (tenant === undefined) return { status: 401, body: 'who are you?' }
      request.path = '/' + tenant + request.path
      return undefined
    },
  })
`

/** As its author would: TypeScript in, JavaScript beside the configuration. */
async function compile(name: string, source: string): Promise<void> {
  const { code } = await transform(source, { loader: 'ts', format: 'esm' })
  writeFileSync(join(folder, name), code)
}

function configure(filter: object): string {
  const config = {
    listeners: [{ name: 'edge', address: '127.0.0.1:0', filters: [filter] }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
    clusters: [{ name: 'app', endpoints: [upstream.address] }],
  }
  return writeConfig(config, folder)
}

async function expectServed(file: string): Promise<void> {
  const edge = `http://127.0.0.1:${await portOf(startOneFile(['run', '-c', file], env))}/`
  const refused = await fetch(edge)
  expect([refused.status, await refused.text()]).toEqual([401, 'who are you?'])
  const passed = await fetch(`${edge}orders`, { headers: { 'x-user': 'ann@acme' } })
  expect([passed.status, passed.headers.get('x-asked')]).toEqual([200, 'GET /acme/orders'])
}

it('runs one in place', async () => {
  await compile('tenant.js', tenant)
  await expectServed(configure({ module: './tenant.js' }))
})

it('runs one in the pool, where it may wait', async () => {
  const waiting = tenant.replace(
    'onRequest(request) {',
    "async onRequest(request) {\n await import('node:dns/promises')",
  )
  await compile('tenant.js', waiting)
  await expectServed(configure({ module: './tenant.js', runIn: 'pool', timeBudget: '5s' }))
})

it('loads one to validate it, in the main thread', async () => {
  await compile('tenant.js', tenant)
  const { code, stdout } = await runOneFile(['validate', '-c', configure({ module: './tenant.js' })], env)
  expect([code, stdout]).toEqual([0, expect.stringContaining('is valid')])
})

it('says which import of one is not there', async () => {
  await compile('tenant.js', "import 'not-installed'\nexport default {}")
  const { code, stderr } = await runOneFile(['validate', '-c', configure({ module: './tenant.js' })], env)
  expect(code).toBe(2)
  expect(stderr).toContain("Cannot find package 'not-installed'")
})
