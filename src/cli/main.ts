#!/usr/bin/env node
/** The command `weft`: the list of its commands, and the exit code of the process. */
import { Command } from 'commander'
import type { CliCommand } from './command.js'
import { bootstrap } from './commands/bootstrap.js'
import { compile } from './commands/compile.js'
import { run } from './commands/run.js'
import { validate } from './commands/validate.js'
import { version } from './commands/version.js'
import { exitCodes } from './output.js'
import { weftVersion } from './version.js'

const commands: readonly CliCommand[] = [run, validate, compile, bootstrap, version]

const program = new Command('weft')
  .description('A service mesh you can program in TypeScript')
  .version(weftVersion)
  .showHelpAfterError('(weft --help lists the commands)')
  .enablePositionalOptions()
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? exitCodes.ok : exitCodes.invalid))

for (const { name, about, declare } of commands) {
  const command = program.command(name).description(about).copyInheritedSettings(program)
  // process.exit and not exitCode: a handle left open by a library must not keep an ended proxy alive.
  declare(command, async (code) => process.exit(await code))
}

await program.parseAsync()
