#!/usr/bin/env node
// Bundles the TypeScript into dist/: one flat folder, so that a thread's entry and the addon lie beside every chunk.
// Splitting keeps what is imported lazily (zod, commander, yaml, uWebSockets.js) out of the start of `weft run`.
import { existsSync, rmSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const entries = {
  weft: 'src/cli/main.ts',
  index: 'src/index.ts',
  undici: 'src/undici/dispatcher.ts',
  worker: 'src/proxy/worker.ts',
  'prepare-thread': 'src/proxy/prepare-thread.ts',
  'pool-thread': 'src/filters/pool/pool-thread.ts',
  testing: 'src/testing/index.ts',
}
/** What `exports` of package.json names. */
const exported = ['index', 'undici', 'testing']

const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8'))

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  splitting: true,
  // commander is CommonJS and requires built-in modules.
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
  // `yaml` has an ES module only under its browser entry; the other loses its named exports in a bundle.
  alias: { yaml: `${root}node_modules/yaml/browser/index.js` },
  // piscina starts its threads from a file of its own; ws does without its optional native parts, the last two.
  external: ['piscina', 'uWebSockets.js', 'msgpackr-extract', 'bufferutil', 'utf-8-validate', 'undici'],
  define: { WEFT_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
}

for (const name of existsSync(`${root}dist`) ? await readdir(`${root}dist`) : []) {
  if (/\.c?js$/.test(name)) rmSync(`${root}dist/${name}`)
}
await build({ ...common, entryPoints: entries, outdir: 'dist', chunkNames: '[name]-[hash]' })
// Not a second build: a process that both imports and requires the package must have one engine host, one set of
// classes. Node requires ES modules that have no await at their top.
for (const name of exported) await writeFile(`${root}dist/${name}.cjs`, `module.exports = require('./${name}.js')\n`)
if (existsSync(`${root}bench/run.ts`)) {
  const entryPoints = {
    run: 'bench/run.ts',
    micro: 'bench/micro/run.ts',
    control: 'bench/control/run.ts',
    certificates: 'bench/control/certificates.ts',
    'socket-echo': 'bench/sockets/echo.ts',
    'socket-load': 'bench/sockets/load.ts',
    'control-streams': 'bench/control/streams.ts',
    'control-restart': 'bench/control/restart.ts',
    'control-restart-streams': 'bench/control/restart-streams.ts',
  }
  await build({ ...common, entryPoints, outdir: 'dist/bench', packages: 'external' })
}
