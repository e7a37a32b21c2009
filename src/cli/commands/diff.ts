/** `weft diff`: what `weft apply` would change, line by line. */
import type { CliCommand } from '../command.js'
import { diffLines } from '../line-diff.js'
import { exitCodes } from '../output.js'
import { explainNotices, failPlaced } from '../placed-issues.js'
import { type ShownChange, type ShownChanges, type ShownResource, shortKind } from '../resource.js'
import { addFilesOption, type FilesOptions, readStandardInput } from '../resource-input.js'
import { addSessionOptions, dumpYaml, type Session, type SessionOptions, withSession } from '../session.js'

interface DiffOptions extends SessionOptions, FilesOptions {
  exitCode?: boolean
}

export const diff: CliCommand = {
  name: 'diff',
  about: 'show what apply would change',
  declare(command, finish) {
    addFilesOption(addSessionOptions(command))
      .option('--exit-code', 'end with 1 when there is a difference')
      .action((options: DiffOptions) => finish(withSession(options, (session) => execute(session, options))))
  },
}

async function execute(session: Session, { filename, exitCode }: DiffOptions): Promise<number> {
  const { readResources } = await import('../../control/client/resource-files.js')
  const resources = await readResources(filename, readStandardInput)
  const body = { resources: resources.map(({ value }) => value), dryRun: true }
  const result = await failPlaced(session, resources, () => session.client.ask<ShownChanges>('POST', '/v1/apply', body))
  if (typeof result === 'number') return result
  const changed = result.changes.filter(({ outcome }) => outcome !== 'unchanged')
  const texts = await Promise.all(changed.map(diffOf))
  await session.print(texts.length === 0 ? 'no difference' : texts.join('\n'), { changes: changed })
  for (const line of await explainNotices(result.notices, resources)) session.say(line)
  return exitCode && changed.length > 0 ? exitCodes.failed : exitCodes.ok
}

export async function diffOf({ kind, namespace, name, before, after }: ShownChange): Promise<string> {
  const lines = diffLines(await textOf(before), await textOf(after))
  return [`${shortKind(kind)} ${namespace}/${name}`, ...lines].join('\n')
}

/** Without the numbers that the store gives, which differ always. */
async function textOf(resource: ShownResource | null): Promise<string> {
  if (resource === null) return ''
  const { resourceVersion: _, creationTimestamp: __, ...metadata } = resource.metadata
  return dumpYaml({ ...resource, metadata })
}
