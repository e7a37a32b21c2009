/** `weft compile`: a configuration file as the snapshot that the engine and `weft-agent` take. */
import { writeFile } from 'node:fs/promises'
import { WeftError } from '../../errors.js'
import { addFileOption, addOutputOption, type CliCommand, type FileOptions } from '../command.js'
import { createOutput, exitCodes } from '../output.js'

interface CompileOptions extends FileOptions {
  out: string
}

export const compile: CliCommand = {
  name: 'compile',
  about: 'write the compiled snapshot of a configuration file',
  declare(command, finish) {
    addOutputOption(addFileOption(command))
      .requiredOption('-o, --out <file>', 'where to write the snapshot')
      .action((options: CompileOptions) => finish(execute(options)))
  },
}

async function execute({ config, out, output }: CompileOptions): Promise<number> {
  const { compileFile } = await import('../../proxy/prepare.js')
  const { encodeSnapshot } = await import('../../proxy/encode-snapshot.js')
  const print = createOutput(output)
  try {
    const bytes = encodeSnapshot(await compileFile(config))
    await writeFile(out, bytes).catch((cause: Error) => {
      throw new WeftError('WEFT_SNAPSHOT_UNWRITABLE', `cannot write ${out}: ${cause.message}`, { cause })
    })
    print.result(`${out}: ${bytes.length} bytes`, { ok: true, file: out, bytes: bytes.length })
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, config)
  }
}
