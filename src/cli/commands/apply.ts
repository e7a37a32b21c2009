/** `weft apply`: puts the resources of files in force, all or none, and waits for the data planes' verdicts. */

import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { explainNotices, explainRefusals, failPlaced } from '../placed-issues.js'
import { describeChanges, type ShownChanges } from '../resource.js'
import { addFilesOption, type FilesOptions, readStandardInput } from '../resource-input.js'
import { addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'
import { addWaitOption, describeVerdicts, type Verdict, waitForVerdicts } from '../verdicts.js'

interface ApplyOptions extends SessionOptions, FilesOptions {
  dryRun?: boolean
  wait: number
}

export const apply: CliCommand = {
  name: 'apply',
  about: 'put the resources of files in force and wait for the data planes',
  declare(command, finish) {
    addWaitOption(addFilesOption(addSessionOptions(command)))
      .option('--dry-run', 'say what would happen, change nothing')
      .action((options: ApplyOptions) => finish(withSession(options, (session) => execute(session, options))))
  },
}

async function execute(session: Session, { filename, dryRun = false, wait }: ApplyOptions): Promise<number> {
  const { readResources } = await import('../../control/client/resource-files.js')
  const resources = await readResources(filename, readStandardInput)
  const body = { resources: resources.map(({ value }) => value), dryRun }
  const result = await failPlaced(session, resources, () => session.client.ask<ShownChanges>('POST', '/v1/apply', body))
  if (typeof result === 'number') return result
  if (session.format === 'table') await session.print(describeChanges(result), result)
  for (const line of await explainNotices(result.notices, resources)) session.say(line)
  const changed = result.changes.some(({ outcome }) => outcome !== 'unchanged')
  const verdicts: Verdict[] =
    dryRun || !changed || wait === 0 ? [] : await waitForVerdicts(session, result.revision, wait)
  if (session.format !== 'table') await session.print('', { ...result, verdicts })
  if (dryRun || !changed || wait === 0) return exitCodes.ok
  session.say(describeVerdicts(verdicts))
  for (const line of await explainRefusals(verdicts, resources)) session.say(line)
  return verdicts.every(({ state }) => state === 'applied') ? exitCodes.ok : exitCodes.failed
}
