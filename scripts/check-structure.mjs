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
  telemetry: ['native', 'errors', 'clock'],
  door: ['native', 'config', 'errors'],
  filters: ['native', 'config', 'errors'],
  discovery: ['config', 'errors', 'clock'],
  control: ['config', 'discovery', 'telemetry', 'errors', 'clock'],
  admin: ['door', 'native', 'telemetry', 'errors'],
  proxy: ['native', 'config', 'admin', 'door', 'filters', 'discovery', 'telemetry', 'errors', 'clock'],
  cli: ['proxy', 'control', 'native', 'telemetry', 'errors'],
  index: ['proxy', 'control', 'filters', 'door', 'config', 'native', 'errors'],
}

/** Packages that exactly one file may import. */
const onlyImporter = { 'uWebSockets.js': 'src/door/uws.ts' }

/** What every module of the engine may use, and the phases of a request in their order: each may use what follows. */
const engineBase = ['snapshot', 'record', 'error', 'clock', 'http', 'tls', 'telemetry']
const engineOrder = ['listener', 'connection', 'exchange', 'filter', 'route', 'cluster', 'upstream', 'respond', 'tcp']
/** Called by the driver alone, never by each other; an attempt reads the endpoint that it was given. */
const enginePhases = ['filter', 'route', 'cluster', 'upstream', 'respond']
const phaseExceptions = ['upstream → cluster']

const topLevel = [
  ...[
    '.ci',
    '.cargo',
    '.gitignore',
    '.npmrc',
    'Cargo.lock',
    'Cargo.toml',
    'LICENSE',
    'README.md',
    'bench',
    'biome.json',
  ],
  ...[
    'clippy.toml',
    'docs',
    'examples',
    'native',
    'package-lock.json',
    'package.json',
    'rustfmt.toml',
    'scripts',
    'src',
  ],
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
  const [, crate, , ...inside] = file.split('/')
  lines.forEach((line, i) => {
    if (/^\s*\/\//.test(line)) return
    if (/\bunsafe\s*(\{|fn|impl)/.test(line) && !['rt', 'binding'].includes(crate)) {
      report(file, i + 1, 'unsafe belongs to native/rt and native/binding')
    }
    if (crate === 'engine' && /^src\//.test(file.split('/').slice(2).join('/')))
      checkEngineImport(file, inside, line, i + 1)
  })
}

function checkEngineImport(file, inside, line, number) {
  const own = inside[0].replace(/\.rs$/, '')
  if (own === 'lib' || own === 'tests') return
  for (const [, imported] of line.matchAll(/\bcrate::(\w+)/g)) {
    if (imported === own || engineBase.includes(imported) || !engineOrder.includes(imported)) continue
    const bothPhases = enginePhases.includes(own) && enginePhases.includes(imported)
    const below = engineOrder.indexOf(imported) > engineOrder.indexOf(own) && engineOrder.includes(own)
    if (phaseExceptions.includes(`${own} → ${imported}`)) continue
    if (bothPhases) report(file, number, `the phase ${own} may not call the phase ${imported}: the driver does`)
    else if (!below) report(file, number, `${own} may not use ${imported}, which stands above it`)
  }
}
