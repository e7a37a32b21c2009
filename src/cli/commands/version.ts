/** `weft version`: of the package and, where it loads, of the engine. */
import { loadAddon } from '../../native/index.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format } from '../output.js'
import { weftVersion } from '../version.js'

export const version: CliCommand = {
  name: 'version',
  about: 'print the version of weft and of its engine',
  declare(command, finish) {
    addOutputOption(command).action(({ output }: { output: Format }) => finish(execute(output)))
  },
}

async function execute(output: Format): Promise<number> {
  const engine = engineVersion()
  const text = `weft ${weftVersion} (engine ${engine ?? 'not built'}, node ${process.versions.node})`
  createOutput(output).result(text, { weft: weftVersion, engine, node: process.versions.node })
  return exitCodes.ok
}

function engineVersion(): string | null {
  try {
    return loadAddon().version()
  } catch {
    return null // a missing engine is an answer here, not a failure
  }
}
