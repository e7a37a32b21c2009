/** `weft why`: everything about one request, by its `x-request-id`, from a running proxy. */
import { WeftError } from '../../errors.js'
import { askAdmin, defaultAdmin } from '../admin-client.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format } from '../output.js'

interface WhyOptions {
  admin: string
  output: Format
}

export const why: CliCommand = {
  name: 'why',
  about: 'say why a request went where it went, by its x-request-id',
  declare(command, finish) {
    addOutputOption(command)
      .argument('<request-id>', 'the x-request-id of the answer or of the access log')
      .option('--admin <address>', 'admin server of the proxy', defaultAdmin)
      .action((id: string, options: WhyOptions) => finish(execute(id, options)))
  },
}

async function execute(id: string, { admin, output }: WhyOptions): Promise<number> {
  try {
    const { status, body } = await askAdmin(admin, `/why/${encodeURIComponent(id)}?format=${output}`)
    const known = status === 200
    const stream = known || output === 'json' ? process.stdout : process.stderr
    stream.write(output === 'json' ? `${JSON.stringify(JSON.parse(body))}\n` : body)
    return known ? exitCodes.ok : exitCodes.failed
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return createOutput(output).failure(error, admin)
  }
}
