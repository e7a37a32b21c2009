/** `weft suggest`: what a running proxy has learned of its upstreams, against what is configured, and a patch of the difference. */
import { WeftError } from '../../errors.js'
import type { Stats } from '../../native/index.js'
import { askAdmin, defaultAdmin } from '../admin-client.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format } from '../output.js'
import { patchOf } from '../suggest/patch.js'
import { type InForce, type Suggestion, suggestionsOf } from '../suggest/suggestions.js'
import { formatTable } from '../table.js'

interface SuggestOptions {
  admin: string
  output: Format
}

export const suggest: CliCommand = {
  name: 'suggest',
  about: 'compare configured with learned values and print a patch; changes nothing',
  declare(command, finish) {
    addOutputOption(command)
      .option('--admin <address>', 'admin server of the proxy', defaultAdmin)
      .action((options: SuggestOptions) => finish(execute(options)))
  },
}

async function execute({ admin, output }: SuggestOptions): Promise<number> {
  const print = createOutput(output)
  try {
    const { clusters } = (await read(admin, '/stats?format=json')) as Stats
    const { config } = (await read(admin, '/config_dump')) as { config: InForce }
    const suggestions = suggestionsOf(clusters, config)
    const patch = patchOf(suggestions)
    print.result(suggestText(suggestions, patch, admin), { ok: true, admin, suggestions, patch })
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, admin)
  }
}

async function read(admin: string, path: string): Promise<unknown> {
  const { status, body } = await askAdmin(admin, path)
  if (status === 200) return JSON.parse(body)
  throw new WeftError('WEFT_SUGGEST_UNTOLD', `${admin} answers ${path} with ${status}`, {
    hint: 'is it the admin server of a proxy of this version?',
  })
}

/** The table as comments, so that all of it is YAML and can go into a file. */
function suggestText(suggestions: readonly Suggestion[], patch: string, admin: string): string {
  const head = ['of', 'configured', 'suggested', 'why']
  const rows = suggestions.map(({ noun, name, key, configured, suggested, reason }) => [
    `${noun} ${name} ${key.join('.')}`,
    configured,
    suggested ?? '-',
    reason,
  ])
  const table = formatTable(head, rows)
    .split('\n')
    .map((line) => `# ${line}`)
  const end =
    patch === ''
      ? '# nothing to change'
      : '# nothing was changed: put this into the configuration, and try it with `weft plan`'
  return [`# learned by the proxy at ${admin} since it began`, ...table, end, patch].join('\n').trimEnd()
}
