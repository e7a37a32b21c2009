#!/usr/bin/env node
// Writes dist/types: the declarations of the package's entries and of what they reach, once for ES modules and once for
// CommonJS. What a person writes as a configuration is derived from zod schemas in the sources; it is written out here,
// with its documentation, so that the package's types need no other package.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import * as z from 'zod'
import { typeOf } from './type-text.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const {
  exports: entries,
  dependencies,
  peerDependencies,
} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Declarations that are written out: the type's name, and the schema that it is the input of. */
const written = {
  'config/config.d.ts': { name: 'ProxyConfig', file: 'src/config/config.ts', schema: 'config' },
  'control/config/control-config.d.ts': {
    name: 'WrittenControlConfig',
    file: 'src/control/config/control-config.ts',
    schema: 'controlConfig',
  },
}

/** What only a program can write, by the title or the form of its schema. */
const values = {
  inline: { name: 'InlineFilter', file: 'filters/definition.js' },
  'defineSocket({ … })': { name: 'SocketDefinition', file: 'door/socket/define-socket.js' },
}

const folder = mkdtempSync(join(root, 'node_modules', '.weft-types-'))
try {
  declare()
  for (const [file, { name, file: source, schema }] of Object.entries(written)) {
    const declared = (await load(source))[schema]
    const type = typeOf(jsonSchema(declared))
    const used = Object.entries(values).filter(([, { name }]) => new RegExp(`\\b${name}\\b`).test(type))
    const imports = used.map(([, value]) => `import type { ${value.name} } from '../${value.file}'\n`)
    writeFileSync(join(folder, file), `${imports.join('')}export type ${name} = ${type}\n`)
  }
  rmSync(join(root, 'dist/types'), { recursive: true, force: true })
  for (const file of reachable()) {
    for (const format of ['esm', 'cjs']) lay(join(root, 'dist/types', format, file), readFileSync(join(folder, file)))
  }
  lay(join(root, 'dist/types/cjs/package.json'), '{ "type": "commonjs" }\n')
} finally {
  rmSync(folder, { recursive: true })
}

function declare() {
  const options = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--rootDir', 'src']
  execFileSync(
    join(root, 'node_modules/.bin/tsc'),
    [...options, '-p', 'scripts/types.tsconfig.json', '--outDir', folder],
    {
      cwd: root,
      stdio: 'inherit',
    },
  )
}

function jsonSchema(schema) {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { title, form, valueOnly, description } = jsonSchema
      if (valueOnly) jsonSchema.typescript = values[title]?.name
      if (!(zodSchema instanceof z.ZodCustom)) return
      // What has a description works, and names a file unless it is known as a value; the others are keys that do not
      // work yet.
      const typescript = values[form]?.name ?? 'string | URL'
      Object.assign(jsonSchema, description === undefined ? { not: {} } : { typescript })
    },
  })
}

/** The exports of a module that is written in TypeScript, with the same zod as here. */
async function load(entry) {
  const outfile = join(folder, `${entry.replaceAll('/', '-')}.mjs`)
  const entryPoints = [join(root, entry)]
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
  return import(pathToFileURL(outfile).href)
}

/** The declarations of all entries and what they import, and nothing of a package that an installation may not have. */
function reachable() {
  const known = new Set([...Object.keys(dependencies ?? {}), ...Object.keys(peerDependencies ?? {})])
  const files = new Set()
  const visit = (file) => {
    if (files.has(file)) return
    files.add(file)
    const text = readFileSync(join(folder, file), 'utf8')
    for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
      if (specifier.startsWith('.'))
        visit(relative(folder, join(folder, dirname(file), specifier.replace(/\.js$/, '.d.ts'))))
      else if (!specifier.startsWith('node:') && !known.has(specifier)) {
        throw new Error(`${file} needs the types of ${specifier}, which is not among the dependencies`)
      }
    }
  }
  for (const entry of Object.values(entries))
    if (entry.import !== undefined) visit(relative('dist/types/esm', entry.import.types))
  return files
}

function lay(file, content) {
  if (!existsSync(dirname(file))) mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
}
