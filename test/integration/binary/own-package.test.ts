/** Modules of users that import this package by its name from a folder that has no node_modules. */
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

const start = promisify(execFile)
let installed: string
let user: string

beforeAll(async () => {
  installed = scratchFolder()
  user = scratchFolder()
  await build({
    entryPoints: ['src/filters/own-package.ts'],
    outfile: join(installed, 'dist/own-package.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  })
  const exports = {
    '.': { import: './dist/index.js', require: './dist/index.cjs' },
    './testing': './dist/testing.js',
  }
  write(installed, {
    'package.json': JSON.stringify({ name: 'weftmesh', type: 'module', exports }),
    'dist/index.js': "export const whence = 'index'\n",
    'dist/index.cjs': "exports.whence = 'required'\n",
    'dist/testing.js': "export const whence = 'testing'\n",
    'dist/load.js': `import { offerOwnPackage } from './own-package.js'
      const module = new URL(process.argv[2], 'file:')
      offerOwnPackage(module)
      console.log((await import(module.href)).default)`,
  })
})
afterAll(removeScratch)

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

/** What the module at `path` exports. */
async function load(path: string): Promise<string> {
  const { stdout } = await start(process.execPath, [join(installed, 'dist/load.js'), join(user, path)])
  return stdout.trim()
}

it('finds the package itself, from each file that a module imports', async () => {
  write(user, {
    'filter.js': "export { whence as default } from './lib/inner.js'\n",
    'lib/inner.js': "export { whence } from 'weftmesh'\n",
  })
  expect(await load('filter.js')).toBe('index')
})

it('finds what the package exports under other names', async () => {
  write(user, { 'testing.js': "export { whence as default } from 'weftmesh/testing'\n" })
  expect(await load('testing.js')).toBe('testing')
})

it('finds it for a module that is CommonJS', async () => {
  write(user, { 'filter.cjs': "module.exports = require('weftmesh').whence\n" })
  expect(await load('filter.cjs')).toBe('required')
})

it('leaves other names that cannot be found to the error of Node', async () => {
  write(user, { 'wrong.js': "import 'not-installed'\n" })
  await expect(load('wrong.js')).rejects.toThrow("Cannot find package 'not-installed'")
})

it('takes a copy that lies beside the module as it is', async () => {
  const own = join(user, 'project')
  write(own, {
    'node_modules/weftmesh/package.json': JSON.stringify({ name: 'weftmesh', type: 'module', exports: './own.js' }),
    'node_modules/weftmesh/own.js': "export const whence = 'beside'\n",
    'filter.js': "export { whence as default } from 'weftmesh'\n",
  })
  expect(await load('project/filter.js')).toBe('beside')
})

it('takes the running package through a link beside the module', async () => {
  const linked = join(user, 'linked')
  write(linked, { 'filter.js': "export { whence as default } from 'weftmesh'\n" })
  mkdirSync(join(linked, 'node_modules'))
  symlinkSync(installed, join(linked, 'node_modules/weftmesh'))
  expect(await load('linked/filter.js')).toBe('index')
})
