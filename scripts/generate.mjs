#!/usr/bin/env node
// Writes what comes from the configuration's declaration: the JSON Schema and the reference page, and the types of the
// snapshot from the engine's structs.
import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
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
