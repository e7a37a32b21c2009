/** `weft rollback`: puts back what a resource was, as a new change. */
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { describeChanges, describeNotice, resourcePath, type ShownChanges } from '../resource.js'
import { addNamespaceOption, addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'
import { addWaitOption, describeVerdicts, waitForVerdicts } from '../verdicts.js'
import { diffOf } from './diff.js'

interface RollbackOptions extends SessionOptions {
  namespace?: string
  to?: string
  dryRun?: boolean
  wait: number
}

export const rollback: CliCommand = {
  name: 'rollback',
  about: 'put back what a resource was',
  declare(command, finish) {
    addWaitOption(addNamespaceOption(addSessionOptions(command)))
      .argument('<kind>')
      .argument('<name>')
      .option('--to <revision>', 'as it was at this revision; absent: before its last change')
      .option('--dry-run', 'show the difference, change nothing')
      .action((kind: string, name: string, options: RollbackOptions) => {
        return finish(withSession(options, (session) => execute(session, kind, name, options)))
      })
  },
}

async function execute(session: Session, kind: string, name: string, options: RollbackOptions): Promise<number> {
  const { namespace, to, dryRun = false, wait } = options
  const body = { to: to === undefined ? null : Number(to), dryRun }
  const path = `${resourcePath(kind, namespace, name)}/rollback`
  const result = await session.client.ask<ShownChanges>('POST', path, body)
  const text = dryRun ? (await Promise.all(result.changes.map(diffOf))).join('\n') : describeChanges(result)
  await session.print(text, result)
  for (const notice of result.notices) session.say(describeNotice(notice, null))
  const changed = result.changes.some(({ outcome }) => outcome !== 'unchanged')
  if (dryRun || !changed || wait === 0) return exitCodes.ok
  const verdicts = await waitForVerdicts(session, result.revision, wait)
  session.say(describeVerdicts(verdicts))
  return verdicts.every(({ state }) => state === 'applied') ? exitCodes.ok : exitCodes.failed
}
