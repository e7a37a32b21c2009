#!/usr/bin/env node
// Holds the tree to its design: who may import whom in TypeScript and in the engine, how long a file may be, what may
// stand at the top, which words and addresses may not stand anywhere. Prints every finding; exit code 1 if there is one.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What each folder of src/ may import besides itself. A file directly in src/ counts by its name. */
const mayImport = {
  errors: [],
  clock: [],
  config: ['errors', 'clock'],
  native: ['errors'],
  telemetry: ['native', 'config', 'errors', 'clock'],
  door: ['native', 'config', 'errors'],
  filters: ['native', 'config', 'errors'],
  testing: ['filters'],
  undici: ['native', 'proxy', 'errors'],
  discovery: ['config', 'errors', 'clock'],
  control: ['native', 'config', 'discovery', 'telemetry', 'errors', 'clock'],
  admin: ['door', 'native', 'telemetry', 'errors'],
  proxy: ['native', 'config', 'admin', 'door', 'filters', 'discovery', 'telemetry', 'errors', 'clock'],
  cli: ['proxy', 'control', 'native', 'telemetry', 'errors'],
  binary: ['cli', 'errors'],
  index: ['proxy', 'control', 'filters', 'door', 'config', 'native', 'errors'],
}

/** Packages that exactly one file may import. */
const onlyImporter = { 'uWebSockets.js': 'src/door/uws.ts' }

/**
 * The engine's rooms stand in lib.rs in the order of a request, and the modules of a room of several steps in its mod.rs.
 * A module may be handed values of any other, so types (capitals) may be imported from anywhere; what it calls (small
 * letters) must stand below it. The ground floor stands below all.
 */
const engineGround = ['snapshot', 'http', 'tls', 'telemetry', 'error', 'clock', 'transfer']
const engineRooms = ['proxy', 'listener', 'exchange', 'upstream', 'worker']
/** Called by the driver alone, never by each other; one phase each. */
const enginePhases = [
  ['filter'],
  ['route'],
  ['upstream::cluster'],
  ['upstream::attempt', 'upstream::connection'],
  ['upstream::retry'],
  ['exchange::respond'],
]
const engineOrder = readEngineOrder()

const topLevel = [
  ...[
    '.ci',
    '.cargo',
    '.gitignore',
    '.npmrc',
    'Cargo.lock',
    'CHANGELOG.md',
    'Cargo.toml',
    'LICENSE',
    'README.md',
    'bench',
    'biome.json',
  ],
  ...['clippy.toml', 'native', 'package-lock.json', 'package.json', 'rustfmt.toml', 'scripts', 'src'],
  ...['test', 'tsconfig.json', 'vitest.config.ts'],
]

const lineCap = 500
const vagueNames = /^(utils?|helpers?|common|misc|types)\.(ts|rs|mjs)$/
// Put together here so that this file does not find itself.
const banned = [
  new RegExp(['clau' + 'de', 'anthro' + 'pic', 'chat' + 'gpt', 'co-authored' + '-by', 'sub' + 'agent'].join('|'), 'i'),
  new RegExp(
    ['registry\\.npm' + 'js', '(static\\.)?crates\\.' + 'io/api', 'pypi\\.' + 'org', 'pythonhosted\\.' + 'org'].join(
      '|',
    ),
  ),
]

const findings = []
const report = (file, line, message) => findings.push(`${file}${line === 0 ? '' : `:${line}`}: ${message}`)

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '')

for (const file of files) {
  const top = file.split('/')[0]
  if (!topLevel.includes(top)) report(file, 0, `${top} is not in the list of top-level entries`)
  if (!/\.(ts|mjs|cjs|rs|md|ya?ml|json|toml|sh|cfg|conf|lock)$|^scripts\/|^\.ci\//.test(file)) continue
  const text = readFileSync(join(root, file), 'utf8')
  const lines = text.split('\n')
  if (vagueNames.test(file.split('/').at(-1))) report(file, 0, 'the name says nothing: name the thing that it holds')
  if (/\.(ts|mjs|rs)$/.test(file) && !file.endsWith('.d.ts') && lines.length > lineCap + 1) {
    report(file, 0, `${lines.length - 1} lines; at most ${lineCap}`)
  }
  if (!file.endsWith('.lock')) {
    lines.forEach((line, i) => {
      for (const pattern of banned)
        if (pattern.test(line)) report(file, i + 1, `must not stand here: ${pattern.exec(line)[0]}`)
    })
  }
  if (/^src\/.*\.ts$/.test(file)) checkTypeScript(file, lines)
  if (/^native\/.*\.rs$/.test(file)) checkRust(file, lines)
}

if (/"resolved":/.test(readFileSync(join(root, 'package-lock.json'), 'utf8'))) {
  report('package-lock.json', 0, 'holds addresses of a registry; npm must run with the .npmrc of the project')
}

for (const finding of findings) console.error(finding)
console.log(
  findings.length === 0 ? `structure: ${files.length} files in order` : `structure: ${findings.length} findings`,
)
process.exit(findings.length === 0 ? 0 : 1)

function checkTypeScript(file, lines) {
  const folder = partOf(file)
  if (!(folder in mayImport)) report(file, 0, `src/${folder} has no row in the import rules`)
  lines.forEach((line, i) => {
    if (/^\s*(\*|\/\/)/.test(line)) return
    const specifier =
      /(?:from|import)\s*\(?\s*'([^']+)'/.exec(line)?.[1] ?? /require\w*\([^)]*\)\('([^']+)'\)/.exec(line)?.[1]
    if (specifier?.startsWith('.')) {
      const imported = partOf(relative(root, join(root, dirname(file), specifier)))
      if (imported !== folder && !mayImport[folder]?.includes(imported)) {
        report(file, i + 1, `src/${folder} may not import src/${imported}`)
      }
    }
    const owner = onlyImporter[specifier]
    if (owner !== undefined && owner !== file) report(file, i + 1, `only ${owner} imports ${specifier}`)
    if (/\bdns\.resolve/.test(line)) report(file, i + 1, 'dns.resolve* touches what other threads use')
    if (/\bprocess\.exit\(/.test(line) && file !== 'src/cli/main.ts')
      report(file, i + 1, 'only src/cli/main.ts ends the process')
  })
}

/** `src/config/x.ts` → `config`, `src/errors.ts` → `errors`. */
function partOf(file) {
  return file.split('/')[1].replace(/\.(ts|js)$/, '')
}

function checkRust(file, lines) {
  const [, crate, folder, ...inside] = file.split('/')
  lines.forEach((line, i) => {
    if (/^\s*\/\//.test(line)) return
    if (/\bunsafe\s*(\{|fn|impl)/.test(line) && !['rt', 'binding'].includes(crate)) {
      report(file, i + 1, 'unsafe belongs to native/rt and native/binding')
    }
  })
  if (crate !== 'engine' || folder !== 'src' || /(^|_)tests?\.rs$/.test(file)) return
  const own = engineModule([...inside.slice(0, -1), inside.at(-1).replace(/\.rs$/, '')])
  const production = lines.join('\n').split('#[cfg(test)]')[0]
  const stepOfRoom = /^\w+\/(?!mod\.rs)\w+(\.rs|\/mod\.rs)$/.test(inside.join('/'))
  const text = stepOfRoom ? production.replace(/\bsuper::/g, `crate::${inside[0]}::`) : production
  for (const { imported, leaf } of engineImports(text)) checkEngineImport(file, own, imported, leaf)
}

/** `['exchange', 'relay', 'run']` → `exchange::relay`, `['http', 'head']` → `http`. */
function engineModule([room, inside]) {
  const module = `${room}::${inside}`
  return engineOrder.includes(module) ? module : room
}

/** Every name that is taken from another module of the engine, from `use` trees and from paths in the code. */
function* engineImports(text) {
  for (const [, tree] of text.matchAll(/^\s*(?:pub(?:\(crate\))? )?use crate::([^;]+);/gm)) {
    for (const path of expandUse(tree))
      yield { imported: engineModule(path.split('::')), leaf: path.split('::').at(-1) }
  }
  const code = text.replace(/^\s*(?:pub(?:\(crate\))? )?use [^;]+;|\bpub\(in [^)]*\)|\/\/.*$/gm, '')
  for (const [, path] of code.matchAll(/\bcrate::([a-z_0-9]+(?:::\w+)*)/g)) {
    const parts = path.split('::')
    yield { imported: engineModule(parts), leaf: parts.find((part) => /^[A-Z]/.test(part)) ?? parts.at(-1) }
  }
}

/** `a::{self, b::{C, d}}` → `a`, `a::b::C`, `a::b::d`. */
function expandUse(tree) {
  const flat = tree.replace(/\s+/g, ' ').trim()
  const brace = flat.indexOf('{')
  if (brace === -1) return [flat.replace(/ as .*/, '')]
  const prefix = flat.slice(0, brace)
  const parts = []
  let depth = 0
  let part = ''
  for (const letter of flat.slice(brace + 1, flat.lastIndexOf('}'))) {
    depth += letter === '{' ? 1 : letter === '}' ? -1 : 0
    if (letter === ',' && depth === 0) {
      parts.push(part)
      part = ''
    } else part += letter
  }
  return [...parts, part]
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .flatMap((text) => (text === 'self' ? [prefix.replace(/::$/, '')] : expandUse(prefix + text)))
}

function checkEngineImport(file, own, imported, leaf) {
  if (own === imported || own === 'lib' || !engineOrder.includes(imported) || /^[A-Z]/.test(leaf)) return
  const [caller, called] = [own, imported].map((module) => enginePhases.find((phase) => phase.includes(module)))
  if (caller !== undefined && called !== undefined && caller !== called) {
    report(file, 0, `the phase ${own} may not call the phase ${imported} (${leaf}): the driver does`)
  } else if (!engineOrder.includes(own) || engineOrder.indexOf(imported) < engineOrder.indexOf(own)) {
    report(file, 0, `${own} may not call ${imported} (${leaf}), which stands above it`)
  }
}

function readEngineOrder() {
  const modules = (file) => {
    const text = readFileSync(join(root, 'native/engine/src', file), 'utf8')
    return [...text.matchAll(/^(?:pub )?mod (\w+);/gm)].map(([, name]) => name)
  }
  return modules('lib.rs')
    .filter((room) => !engineGround.includes(room))
    .flatMap((room) => {
      const inside = engineRooms.includes(room) ? modules(`${room}/mod.rs`) : []
      return [room, ...inside.map((module) => `${room}::${module}`)]
    })
}
