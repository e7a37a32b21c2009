/** `weft validate`: every issue of a configuration file, nothing started. */
import { WeftError } from '../../errors.js'
import { addFileOption, addOutputOption, type CliCommand, type FileOptions } from '../command.js'
import { createOutput, exitCodes } from '../output.js'

export const validate: CliCommand = {
  name: 'validate',
  about: 'check a configuration file and print every issue',
  declare(command, finish) {
    addOutputOption(addFileOption(command)).action((options: FileOptions) => finish(execute(options)))
  },
}

async function execute({ config, output }: FileOptions): Promise<number> {
  const { resolveFile } = await import('../../proxy/prepare.js')
  const { checkByEngine } = await import('../../proxy/ask-engine.js')
  const { loadAddon } = await import('../../native/index.js')
  const print = createOutput(output)
  try {
    const resolved = await resolveFile(config)
    await checkByEngine(loadAddon(), resolved, config)
    const { listeners, routes, clusters } = resolved
    const counts = [
      [listeners.length, 'listener'],
      [routes.length, 'route'],
      [clusters.length, 'cluster'],
    ] as const
    const text = counts.map(([count, noun]) => `${count} ${noun}${count === 1 ? '' : 's'}`).join(', ')
    print.result(`${config} is valid: ${text}`, { ok: true, file: config, issues: [] })
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, config)
  }
}
