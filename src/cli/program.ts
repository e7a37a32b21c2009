/** The commands of `weft`. */
import { Command } from 'commander'
import type { CliCommand } from './command.js'
import { apply } from './commands/apply.js'
import { bootstrap } from './commands/bootstrap.js'
import { ca } from './commands/ca.js'
import { certificate } from './commands/certificate.js'
import { check } from './commands/check.js'
import { compile } from './commands/compile.js'
import { completion } from './commands/completion.js'
import { control } from './commands/control.js'
import { remove } from './commands/delete.js'
import { describe } from './commands/describe.js'
import { diff } from './commands/diff.js'
import { diffTraffic } from './commands/diff-traffic.js'
import { explain } from './commands/explain.js'
import { get } from './commands/get.js'
import { history } from './commands/history.js'
import { inspect } from './commands/inspect.js'
import { plan } from './commands/plan.js'
import { register } from './commands/register.js'
import { rollback } from './commands/rollback.js'
import { route } from './commands/route.js'
import { run } from './commands/run.js'
import { status } from './commands/status.js'
import { suggest } from './commands/suggest.js'
import { token } from './commands/token.js'
import { top } from './commands/top.js'
import { validate } from './commands/validate.js'
import { version } from './commands/version.js'
import { why } from './commands/why.js'
import { exitCodes } from './output.js'
import { weftVersion } from './version.js'

const commands: readonly CliCommand[] = [
  ...[run, validate, explain, why, plan, suggest, top, route, diffTraffic, compile],
  ...[
    control,
    get,
    describe,
    apply,
    diff,
    remove,
    history,
    rollback,
    status,
    check,
    inspect,
    register,
    token,
    bootstrap,
  ],
  ...[ca, certificate],
  ...[completion, version],
]

/** `end` ends the process with an exit code. */
export async function main(end: (code: number) => never): Promise<void> {
  await createProgram(end).parseAsync()
}

/** The command with all that it takes; its manual page is made from it, too. */
export function createProgram(end: (code: number) => never): Command {
  const program = new Command('weft')
    .description('A service mesh you can program in TypeScript')
    .version(weftVersion)
    .showHelpAfterError('(weft --help lists the commands)')
    .enablePositionalOptions()
    .exitOverride(({ exitCode }) => end(exitCode === 0 ? exitCodes.ok : exitCodes.invalid))
  for (const { name, about, declare } of commands) {
    const command = program.command(name).description(about).copyInheritedSettings(program)
    // An end and not an exit code to end with: a handle left open by a library must not keep an ended proxy alive.
    declare(command, async (code) => end(await code))
  }
  return program
}
