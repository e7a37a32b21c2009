/** `weft diff-traffic`: what the mirrors of a running proxy answer otherwise than the services that clients are answered by. */
import { WeftError } from '../../errors.js'
import type { MirrorStats } from '../../native/index.js'
import { askAdmin, defaultAdmin } from '../admin-client.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format } from '../output.js'

interface DiffTrafficOptions {
  admin: string
  output: Format
}

export const diffTraffic: CliCommand = {
  name: 'diff-traffic',
  about: 'show where answers of mirrors differ from those that clients get; exit code 1 when one does',
  declare(command, finish) {
    addOutputOption(command)
      .option('--admin <address>', 'admin server of the proxy', defaultAdmin)
      .action((options: DiffTrafficOptions) => finish(execute(options)))
  },
}

async function execute({ admin, output }: DiffTrafficOptions): Promise<number> {
  const print = createOutput(output)
  try {
    const [text, json] = await Promise.all([askAdmin(admin, '/mirror'), askAdmin(admin, '/mirror?format=json')])
    if (json.status !== 200) {
      throw new WeftError('WEFT_ADMIN_UNREACHABLE', `${admin} answers /mirror with ${json.status}`, {
        hint: 'is it the admin server of a proxy of this version?',
      })
    }
    const mirrors = JSON.parse(json.body) as MirrorStats[]
    const differs = mirrors.some(({ diff }) => diff !== null && !diff.learning && diff.differences.length > 0)
    print.result(text.body.trimEnd(), { ok: !differs, mirrors })
    return differs ? exitCodes.failed : exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, admin)
  }
}
