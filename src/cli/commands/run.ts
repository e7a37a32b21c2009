/** `weft run`: the proxy itself, and the application after `--` when there is one. */
import { WeftError } from '../../errors.js'
import { createLogger } from '../../telemetry/logger.js'
import { addFileOption, addOutputOption, type CliCommand, type FileOptions } from '../command.js'
import { createOutput } from '../output.js'
import { weftVersion } from '../version.js'

export const run: CliCommand = {
  name: 'run',
  about: 'run a proxy; after --, the application that it stands beside',
  declare(command, finish) {
    addOutputOption(addFileOption(command))
      .option('--takeover', 'take the listening sockets of the process that serves this file now; it drains and ends')
      .option('--supervise', 'start the proxy again, within a second, when it was killed')
      .option('--no-watch', 'reload on SIGHUP only, not when a file of the configuration changes')
      .argument('[app...]', 'application and its arguments, started when the proxy is ready')
      .action((app: string[], options: RunFlags) => finish(execute(app, options)))
  },
}

interface RunFlags extends FileOptions {
  watch: boolean
  takeover?: boolean
}

async function execute(app: string[], { config, output, watch, takeover = false }: RunFlags): Promise<number> {
  const { runProxy } = await import('../../proxy/run-proxy.js')
  const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined
  const write = (line: string) => void process.stderr.write(line)
  const logger = createLogger({ format: output, colour, write, now: () => new Date() })
  try {
    return await runProxy({ file: config, watch, app, takeover, version: weftVersion, logger })
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return createOutput(output).failure(error, config)
  }
}
