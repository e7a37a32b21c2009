#!/usr/bin/env node
// Writes what comes from the configuration's declaration: the JSON Schema and the reference page; and the addon's types
// from the definitions that its macros left in the file named as argument: one JSON object a line.
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(root, 'node_modules', '.weft-generate-'))
try {
  const outfile = join(folder, 'documents.mjs')
  const entry = join(root, 'src/config/documents.ts')
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
  const { configJsonSchema, configReference } = await import(pathToFileURL(outfile).href)
  await writeFile(join(root, 'src/config/config.schema.json'), `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  await writeFile(join(root, 'src/config/REFERENCE.md'), configReference())
} finally {
  rmSync(folder, { recursive: true })
}

const definitions = (await readFile(process.argv[2], 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
const functions = definitions.map(({ kind, def, js_doc }) => {
  if (kind !== 'fn') throw new Error(`the boundary has functions only, not the ${kind} ${def}`)
  return `${js_doc}export declare ${def}\n`
})
const header = '// Generated from native/binding/src by scripts/generate. Do not edit.\n'
await writeFile(join(root, 'src/native/binding.d.ts'), [header, ...functions.sort()].join('\n'))
