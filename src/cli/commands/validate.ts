/** `weft validate`: every issue of a configuration file, or of files with resources of the mesh; nothing started. */
import { WeftError } from '../../errors.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format, type Output } from '../output.js'
import { explainNotices, failPlaced } from '../placed-issues.js'
import { readStandardInput } from '../resource-input.js'

interface ValidateOptions {
  config?: string
  filename?: string[]
  output: Format
}

export const validate: CliCommand = {
  name: 'validate',
  about: 'check a configuration file, or files with resources, and print every issue',
  declare(command, finish) {
    addOutputOption(command)
      .option('-c, --config <file>', "a proxy's configuration file")
      .option('-f, --filename <file...>', 'files or folders with resources; - for standard input')
      .action((options: ValidateOptions) => finish(execute(options)))
  },
}

async function execute({ config, filename, output }: ValidateOptions): Promise<number> {
  const print = createOutput(output)
  if (filename !== undefined) return validateResources(filename, print)
  if (config !== undefined) return validateConfig(config, print)
  const missing = new WeftError('WEFT_CONFIG_MISSING', 'what to check is missing', { hint: 'give -c FILE or -f FILE' })
  return print.failure(missing, 'the command line')
}

async function validateConfig(config: string, print: Output): Promise<number> {
  const { filtersOf, resolveFile, socketsOf } = await import('../../proxy/prepare.js')
  const { checkByEngine } = await import('../../proxy/ask-engine.js')
  const { loadAddon } = await import('../../native/index.js')
  try {
    const resolved = await resolveFile(config)
    await filtersOf(resolved, config)
    await socketsOf(resolved, config)
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

async function validateResources(files: readonly string[], print: Output): Promise<number> {
  const { checkResources } = await import('../../control/state/check-resources.js')
  const { readResources } = await import('../../control/client/resource-files.js')
  const name = files.join(', ')
  try {
    const resources = await readResources(files, readStandardInput)
    const fail = (error: WeftError, file: string) => print.failure(error, file)
    const notices = await failPlaced({ fail }, resources, () => checkResources(resources.map(({ value }) => value)))
    if (typeof notices === 'number') return notices
    for (const line of await explainNotices(notices, resources)) process.stderr.write(`${line}\n`)
    const count = `${resources.length} resource${resources.length === 1 ? '' : 's'}`
    print.result(`${name} is valid: ${count}`, { ok: true, file: name, issues: [], notices })
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, name)
  }
}
