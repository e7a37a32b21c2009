/** The package as its users get it: `npm pack`, installed into empty projects, used by programs of each kind. */
import { cpSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeUpstreams, Upstream } from '../kit/http-upstream.js'
import { NpmProject, packPackage } from '../kit/npm-project.js'
import { endPrograms, outputOf } from '../kit/program.js'
import { scratchFolder } from '../kit/scratch.js'

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))

/** Versions of the checkout, so that they are known to be there. */
const compiler = ['typescript', '@types/node'].map((name) => `${name}@${manifest.devDependencies[name]}`)

let packed: string
let esm: NpmProject
let cjs: NpmProject
let strict: NpmProject
let upstream: Upstream
let endpoint: string

beforeAll(async () => {
  packed = await packPackage()
  esm = await NpmProject.install([packed], 'module')
  cjs = await NpmProject.install([packed, `undici@${manifest.devDependencies.undici}`], 'commonjs')
  strict = await NpmProject.install([packed, ...compiler], 'module')
  upstream = await Upstream.start()
  endpoint = JSON.stringify(upstream.address)
}, 300_000)

afterAll(async () => {
  await endPrograms()
  await closeUpstreams()
}, 120_000)

/** A program that proxies one request and prints the answer's status, what was counted, and nothing else. */
const serve = (start: string) => `
async function main() {
  const proxy = await startProxy({
    listeners: [{ name: 'edge', address: '127.0.0.1:0', limits: { maxConnections: 100 } }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
    clusters: [{ name: 'app', endpoints: [${start}] }],
  })
  const { host, port } = proxy.address('edge')
  const answer = await fetch(\`http://\${host}:\${port}/status/201\`)
  await answer.text()
  const { generation, rejected } = await proxy.apply({
    listeners: [{ name: 'edge', address: '127.0.0.1:0', limits: { maxConnections: 100 } }],
    routes: [{ name: 'all', respond: { status: 204 } }],
  })
  const { app } = proxy.stats().clusters
  const left = await proxy.drain({ deadline: '5s' })
  await proxy[Symbol.asyncDispose]()
  console.log(JSON.stringify([answer.status, generation, rejected, app === undefined, left]))
}
void main()
`
const served = '[201,2,[],true,0]\n'

describe('the package', () => {
  it('holds the bundle, the engine and the types, and is small', async () => {
    const names = (await outputOf('tar', ['tzf', packed])).trim().split('\n')
    const allowed =
      /^package\/(dist\/[\w-]+\.(js|cjs)|dist\/weft\.node|dist\/types\/.*|package\.json|README\.md|LICENSE)$/
    expect(names.filter((name) => !allowed.test(name))).toEqual([])
    const named = Object.values(manifest.exports as Record<string, string | Record<string, Record<string, string>>>)
    const files = named.flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(Object.values),
    )
    for (const file of files as string[]) expect(names).toContain(`package/${file.slice(2)}`)
    expect(statSync(packed).size).toBeLessThan(6_000_000)
  })

  it('has a command that runs', async () => {
    const { version } = manifest
    expect(await esm.node('node_modules/.bin/weft', 'version')).toContain(version)
  })
})

describe('a program of ES modules', () => {
  it('starts a proxy, changes it, reads its counts and ends by itself', async () => {
    esm.write('serve.mjs', `import { startProxy } from 'weftmesh'\n${serve(endpoint)}`)
    expect(await esm.node('serve.mjs')).toBe(served)
  })
})

describe('a program of CommonJS', () => {
  it('does the same', async () => {
    cjs.write('serve.cjs', `const { startProxy } = require('weftmesh')\n${serve(endpoint)}`)
    expect(await cjs.node('serve.cjs')).toBe(served)
  })

  it('that also imports the package has one of everything, and one engine', async () => {
    cjs.write(
      'both.cjs',
      `const required = require('weftmesh')
const { readFileSync } = require('node:fs')
import('weftmesh').then(async ({ startProxy, WeftError }) => {
  const config = { listeners: [{ name: 'edge', address: '127.0.0.1:0' }], routes: [{ name: 'all', respond: { status: 204 } }] }
  const proxies = [await startProxy(config, { workers: 1 }), await required.startProxy(config)]
  const maps = readFileSync('/proc/self/maps', 'utf8').match(/\\S+weft\\.node/g)
  for (const proxy of proxies) await proxy.close()
  console.log(JSON.stringify([startProxy === required.startProxy, WeftError === required.WeftError, new Set(maps).size]))
})
`,
    )
    expect(await cjs.node('both.cjs')).toBe('[true,true,1]\n')
  })

  it('reaches the other entries too', async () => {
    cjs.write(
      'entries.cjs',
      "console.log(typeof require('weftmesh/undici').createDispatcher, typeof require('weftmesh/testing').testFilter)",
    )
    expect(await cjs.node('entries.cjs')).toBe('function function\n')
  })

  it('is told what is wrong when the engine is not there', async () => {
    const there = join(scratchFolder(), 'weftmesh')
    cpSync(join(cjs.folder, 'node_modules/weftmesh'), there, { recursive: true })
    rmSync(join(there, 'dist/weft.node'))
    const failing =
      "require('./index.cjs').startProxy({ listeners: [] }).catch((error) => console.log(error.code, error.hint))"
    expect(await outputOf(process.execPath, ['-e', failing], { cwd: join(there, 'dist') })).toMatch(
      /^WEFT_ADDON_MISSING \S+/,
    )
  })
})

describe('a program in strict TypeScript', () => {
  const options = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--types', 'node']
  const compile = (file: string, ...more: string[]) =>
    strict.node('node_modules/typescript/bin/tsc', ...options, ...more, file)

  it.each([
    ['mts', 'nodenext', 'nodenext'],
    ['cts', 'nodenext', 'nodenext'],
    ['cts', 'node16', 'node16'],
    ['mts', 'esnext', 'bundler'],
  ])(
    '(.%s, module %s, resolved as %s) compiles, with the libraries checked, and runs',
    async (kind, module, resolution) => {
      strict.write(`serve.${kind}`, `import { startProxy } from 'weftmesh'\n${serve(endpoint)}`)
      await compile(`serve.${kind}`, '--module', module, '--moduleResolution', resolution)
      expect(await strict.node(`serve.${kind.replace('t', 'j')}`)).toBe(served)
    },
  )

  it('is the example of the documentation as it stands', async () => {
    strict.write('embed.mts', readFileSync(join(import.meta.dirname, '../examples/embed.ts'), 'utf8'))
    await compile('embed.mts', '--module', 'nodenext', '--moduleResolution', 'nodenext')
    const printed = await strict.node('embed.mjs')
    expect(printed).toMatch(/^\{ host: '127\.0\.0\.1', port: \d+ \}\n2 \[\]\n/)
    expect(printed).toContain('hdr:')
  })

  it('is told of a key that does not exist and of a value of the wrong type', async () => {
    strict.write(
      'wrong.mts',
      `import type { ProxyConfig, ProxyStats } from 'weftmesh'
const listeners = [{ name: 'edge', address: '127.0.0.1:0' }]
// @ts-expect-error
export const misspelt: ProxyConfig = { listeners, ruotes: [] }
// @ts-expect-error
export const mistyped: ProxyConfig = { listeners, workers: 'two' }
// @ts-expect-error
export const unnamed: ProxyConfig = { listeners: [{ address: '127.0.0.1:0' }] }
export const p99 = (stats: ProxyStats): number | null => stats.clusters.app?.latency.p99Us ?? null
`,
    )
    await compile('wrong.mts', '--module', 'nodenext', '--noEmit')
  })
})
