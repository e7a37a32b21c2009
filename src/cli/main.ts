#!/usr/bin/env node
/** The command `weft`, and the exit code of the process. A supervisor loads none of the commands. */
import { asksForSupervisor } from './supervisor-arguments.js'

const end = (code: number) => process.exit(code)
const started = asksForSupervisor(process.argv.slice(2))
  ? import('./supervisor.js').then(({ main }) => main(process.argv.slice(2), end))
  : import('./program.js').then(({ main }) => main(end))
// Not awaited here: the one-file command is bundled as CommonJS, which has no await at its top.
void started
