#!/usr/bin/env node
// Stage one of the one-file command: bundles its main script and gathers the files that it unpacks, under STAGE.
// usage: pack.mjs STAGE NODE   (NODE: the executable that everything is built into)
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const [stage, node] = process.argv.slice(2)
const files = join(stage, 'files')
const modules = execFileSync(node, ['-p', 'process.versions.modules'], { encoding: 'utf8' }).trim()
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** The script of an executable has no `import()` of its own: one of a path that is not known here goes by the loader. */
const importByLoader = {
  name: 'import-by-loader',
  setup({ onLoad }) {
    onLoad({ filter: /[/]src[/].*\.ts$/ }, ({ path }) => {
      if (path.includes('/src/binary/')) return undefined
      const contents = readFileSync(path, 'utf8').replace(/\bimport\((?=[a-z])/g, 'weftPlace.import(')
      return { contents, loader: 'ts' }
    })
  },
}

rmSync(stage, { recursive: true, force: true })
mkdirSync(files, { recursive: true })
await bundleMain()
await gatherBundles()
gatherEngine()
gatherUws()
gatherPiscina()
gatherPackage()
writeManifest()

/** CommonJS, because the main script of an executable is; `src/binary/place.ts` stands in for `import.meta.url`. */
async function bundleMain() {
  await build({
    absWorkingDir: root,
    entryPoints: ['src/binary/main.ts'],
    outfile: join(stage, 'weft.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifyWhitespace: true,
    alias: { yaml: `${root}node_modules/yaml/browser/index.js` },
    external: ['piscina', 'uWebSockets.js', 'msgpackr-extract', 'bufferutil', 'utf-8-validate', 'undici'],
    define: { WEFT_VERSION: JSON.stringify(manifest.version), 'import.meta.url': 'weftPlace.url' },
    // The require of such a script knows only what is built in, and warns of everything else.
    banner: {
      js: `const builtInRequire = require
require = (id) => {
  const { createRequire, isBuiltin } = builtInRequire('node:module')
  return (isBuiltin(id) ? builtInRequire : createRequire(weftPlace.url))(id)
}`,
    },
    plugins: [importByLoader],
    logLevel: 'warning',
  })
}

/** What threads and the modules of users load, with every chunk that they reach; not the command's own chunks. */
async function gatherBundles() {
  const entries = readdirSync(join(root, 'dist')).filter((file) => /^[a-z-]+\.js$/.test(file) && file !== 'weft.js')
  const { metafile } = await build({
    absWorkingDir: join(root, 'dist'),
    entryPoints: entries.filter((file) => !/-[A-Z0-9]{8}\.js$/.test(file)),
    outdir: 'nowhere',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  })
  const required = readdirSync(join(root, 'dist')).filter((file) => file.endsWith('.cjs'))
  for (const path of [...required, ...Object.keys(metafile.inputs)]) add(join(root, 'dist', path), join('dist', path))
}

function gatherEngine() {
  add(join(root, 'dist/weft.node'), 'dist/weft.node')
  strip(join(files, 'dist/weft.node'))
}

/** One of its eighteen binaries. */
function gatherUws() {
  const from = join(root, 'node_modules/uWebSockets.js')
  const binary = `binaries/uws_${process.platform}_${process.arch}_${modules}.node`
  for (const path of ['package.json', 'LICENSE', 'src/uws.js', binary])
    add(join(from, path), join('node_modules/uWebSockets.js', path))
  strip(join(files, 'node_modules/uWebSockets.js', binary))
}

/** Its threads start from a file of its own. */
function gatherPiscina() {
  const from = join(root, 'node_modules/piscina')
  const scripts = readdirSync(join(from, 'dist'), { recursive: true }).filter((path) => /\.m?js$/.test(path))
  for (const path of ['package.json', 'LICENSE', ...scripts.map((script) => join('dist', script))])
    add(join(from, path), join('node_modules/piscina', path))
}

/** Makes a package of the folder, so that modules of users can import it by its name. */
function gatherPackage() {
  const { name, version, license, type, exports = { '.': './dist/index.js' } } = manifest
  writeFileSync(join(files, 'package.json'), `${JSON.stringify({ name, version, license, type, exports })}\n`)
  add(join(root, 'LICENSE'), 'LICENSE')
}

function writeManifest() {
  const paths = readdirSync(files, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(files, join(entry.parentPath, entry.name)))
    .sort()
  const hash = createHash('sha256').update(execFileSync(node, ['-v']))
  const list = paths.map((path) => {
    const text = readFileSync(join(files, path))
    hash.update(`${path}\n${text.length}\n`).update(text)
    return { path, bytes: text.length, executable: path.endsWith('.node') }
  })
  const id = `${manifest.version}-${hash.digest('hex').slice(0, 16)}`
  writeFileSync(join(stage, 'manifest.json'), JSON.stringify({ id, files: list }))
}

function add(from, path) {
  mkdirSync(dirname(join(files, path)), { recursive: true })
  cpSync(from, join(files, path))
}

/** Symbols for debuggers; a file that strip cannot take stays as it is. */
function strip(file) {
  const before = statSync(file).size
  try {
    execFileSync('strip', ['--strip-unneeded', file], { stdio: 'ignore' })
  } catch {
    console.warn(`pack: ${relative(files, file)} keeps its ${before} bytes: strip is missing`)
  }
}
