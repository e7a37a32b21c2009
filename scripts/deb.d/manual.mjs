#!/usr/bin/env node
// Writes the manual page weft(1) to standard output, from the commands as the program declares them.
// usage: manual.mjs YYYY-MM-DD
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const [date] = process.argv.slice(2)
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Plain text in roff: nothing in it is a request, an escape or a hyphen to break at. */
function roff(text) {
  const escaped = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('’', "'").replaceAll('\n', ' ')
  return escaped.replace(/^([.'])/, '\\&$1')
}

function describeOption({ flags, description, argChoices, defaultValue }) {
  const notes = [
    ...(argChoices ? [`one of ${argChoices.join(', ')}`] : []),
    ...(['string', 'number'].includes(typeof defaultValue) ? [`default ${defaultValue}`] : []),
  ]
  return `.TP\n.B ${roff(flags)}\n${roff(`${description}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`)}`
}

function describeCommand(command, words = []) {
  const name = [...words, command.name()]
  const usage = [...name, command.usage()].join(' ')
  const own = [`.SS ${roff(usage)}`, roff(command.description()), ...command.options.map(describeOption)]
  return [...own, ...command.commands.flatMap((one) => describeCommand(one, name))]
}

const folder = mkdtempSync(join(root, 'node_modules', '.weft-manual-'))
try {
  const outfile = join(folder, 'program.mjs')
  const entryPoints = [join(root, 'src/cli/program.ts')]
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
  const { createProgram } = await import(pathToFileURL(outfile).href)
  const program = createProgram(() => {})
  const page = [
    `.TH WEFT 1 ${date} "weft ${version}" "User Commands"`,
    `.SH NAME\nweft \\- ${roff('service mesh proxy and control plane, programmed in TypeScript')}`,
    '.SH SYNOPSIS\n.B weft\n.I command\n.RI [ options ]',
    `.SH DESCRIPTION\n${roff(program.description())}. Started by weft.service it serves what /etc/weft/weft.yaml says.`,
    ...['.SH COMMANDS', ...program.commands.flatMap((command) => describeCommand(command, ['weft']))],
    '.SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed\n.TP\n.B 2\nthe input is wrong; nothing was started',
    '.SH ENVIRONMENT',
    `.TP\n.B WEFT_FILES\n${roff('where the one-file command lays down its engine, when not beside it in /usr/lib/weft')}`,
    `.TP\n.B WEFT_SERVER, WEFT_TOKEN, WEFT_CA\n${roff('the control plane, who asks it, and who signed its certificate')}`,
    '.SH SIGNALS',
    `.TP\n.B SIGTERM, SIGINT\n${roff('drain, then end; a second one ends at once')}`,
    `.TP\n.B SIGHUP\n${roff('read the configuration again')}`,
    `.TP\n.B SIGUSR1\n${roff('open the access logs again, after a rotation')}`,
    '.SH FILES\n.I /etc/weft/weft.yaml',
  ]
  process.stdout.write(`${page.join('\n')}\n`)
} finally {
  rmSync(folder, { recursive: true })
}
