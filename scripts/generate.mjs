#!/usr/bin/env node
// Writes what comes from declarations: the configuration's JSON Schema and reference page, the API's OpenAPI document;
// and the addon's types from the definitions that its macros left in the file named as argument: one JSON object a line.
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(root, 'node_modules', '.weft-generate-'))
try {
  const { configJsonSchema, configReference } = await load('src/config/documents.ts')
  await writeFile(join(root, 'src/config/config.schema.json'), `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  await writeFile(join(root, 'src/config/REFERENCE.md'), configReference())
  const { openApiDocument } = await load('src/control/server/open-api-document.ts')
  const { endpoints } = await load('src/control/server/router.ts')
  const document = JSON.stringify(openApiDocument(endpoints), null, 2)
  await writeFile(join(root, 'src/control/server/openapi.json'), `${document}\n`)
} finally {
  rmSync(folder, { recursive: true })
}

/** The exports of a module that is written in TypeScript. */
async function load(entry) {
  const outfile = join(folder, `${entry.replaceAll('/', '-')}.mjs`)
  const entryPoints = [join(root, entry)]
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
  return import(pathToFileURL(outfile).href)
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
