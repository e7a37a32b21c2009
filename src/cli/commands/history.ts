/** `weft history`: what a resource was, newest first. */
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { resourcePath, type ShownResource } from '../resource.js'
import { addNamespaceOption, addSessionOptions, type SessionOptions, withSession } from '../session.js'
import { formatTable } from '../table.js'

export interface ShownHistory {
  revision: number
  at: string
  author: string
  reason: string
  resource: ShownResource | null
}

export const history: CliCommand = {
  name: 'history',
  about: 'show what a resource was, newest first',
  declare(command, finish) {
    addNamespaceOption(addSessionOptions(command))
      .argument('<kind>')
      .argument('<name>')
      .action((kind: string, name: string, options: SessionOptions & { namespace?: string }) => {
        return finish(
          withSession(options, async ({ client, print }) => {
            const path = `${resourcePath(kind, options.namespace, name)}/history`
            const { items } = await client.get<{ items: ShownHistory[] }>(path)
            await print(historyTable(items), { items })
            return exitCodes.ok
          }),
        )
      })
  },
}

export function historyTable(items: readonly ShownHistory[]): string {
  const rows = items.map(({ revision, at, author, reason, resource }, i) => {
    const older = items[i + 1]?.resource ?? null
    const what = resource === null ? 'deleted' : older === null ? 'created' : 'changed'
    // The oldest that is kept need not be the first that there was.
    return [String(revision), at, author, reason, i === items.length - 1 && resource !== null ? 'written' : what]
  })
  return formatTable(['REVISION', 'AT', 'BY', 'WHY', 'WHAT'], rows)
}
