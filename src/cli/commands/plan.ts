/**
 * `weft plan`: recorded requests replayed through a candidate configuration, by the matcher that would route them.
 * Exit codes: 0 nothing changes, 3 some requests go elsewhere, 4 some would be refused or find no route; 1 and 2 as always.
 */
import { InvalidArgumentError } from 'commander'
import { WeftError } from '../../errors.js'
import type { Addon, DecisionRecord } from '../../native/index.js'
import type { Replayed } from '../../native/replayed.js'
import { askAdmin, defaultAdmin } from '../admin-client.js'
import { addFileOption, addOutputOption, type CliCommand, type FileOptions } from '../command.js'
import { createOutput, exitCodes } from '../output.js'
import { painter } from '../paint.js'
import { type Comparison, compareDecisions, favouring } from '../plan/compare.js'
import { planText } from '../plan/plan-text.js'
import { isReplayable, questionOf, readRecordFile, readRecords } from '../plan/recorded.js'

interface PlanOptions extends FileOptions {
  admin: string
  records?: string
  since?: string
  limit: number
}

const planned = { same: exitCodes.ok, changes: 3, loses: 4 } as const

export const plan: CliCommand = {
  name: 'plan',
  about: 'replay recorded requests through a candidate configuration and say what would change for them',
  declare(command, finish) {
    addOutputOption(addFileOption(command))
      .option('--admin <address>', 'admin server of the proxy whose records are replayed', defaultAdmin)
      .option('--records <file>', 'replay a file with what /records answered instead')
      .option('--since <age>', 'only requests since then, such as 5m or 2026-01-31T12:00:00Z')
      .option('--limit <count>', 'at most so many requests, the newest', readLimit, 10_000)
      .action((options: PlanOptions) => finish(execute(options)))
  },
}

function readLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000_000) return limit
  throw new InvalidArgumentError('it must be a whole number from 1 to 1000000')
}

async function execute(options: PlanOptions): Promise<number> {
  const { config: file, output } = options
  const print = createOutput(output)
  try {
    const { loadAddon } = await import('../../native/index.js')
    const { comparison, notes } = await comparePlans(loadAddon(), options)
    const { changes } = comparison
    const text = planText(comparison, notes, painter(process.stdout))
    print.result(text, { ok: true, file, ...comparison, notes })
    if (changes.refused + changes.unroutable > 0) return planned.loses
    return changes.cluster + changes.share + changes.answer > 0 ? planned.changes : planned.same
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, file)
  }
}

async function comparePlans(addon: Addon, options: PlanOptions): Promise<{ comparison: Comparison; notes: string[] }> {
  const { resolveFile } = await import('../../proxy/prepare.js')
  const { replayRequests } = await import('../../proxy/ask-engine.js')
  const { config: file, admin, records: from, since, limit } = options
  const candidate = await resolveFile(file)
  const all = await (from === undefined ? readRecords(admin, limit, since ?? null) : readRecordFile(from, limit))
  const records = all.filter(isReplayable)
  if (records.length === 0) {
    throw new WeftError('WEFT_PLAN_RECORDS', 'there is no recorded request to replay', {
      hint: 'the ring of `records` keeps the last requests of each worker; send some first',
    })
  }
  const questions = records.map(questionOf)
  const after = await replayRequests(addon, candidate, file, questions)
  const before = from === undefined ? await inForce(addon, admin, questions) : null
  const left = all.length - records.length
  const cut = records.filter(({ marks }) => marks?.includes('cut')).length
  const notes = [
    ...(left === 0 ? [] : [`${left} records without a head or a listener were left out`]),
    ...(cut === 0 ? [] : [`${cut} records had a text that was cut for room: what was cut is replayed as absent`]),
    ...(before === null ? ['compared with what the records tell: the configuration in force is not known'] : []),
    ...unseen(records, before, after),
  ]
  const decisions =
    before === null
      ? after.decisions.map((decision, at) => favouring(records[at] as DecisionRecord, decision))
      : after.decisions
  return { comparison: compareDecisions(records, before?.decisions ?? null, decisions), notes }
}

/** What the running proxy would decide now; null when its configuration cannot be read here. */
async function inForce(
  addon: Addon,
  admin: string,
  questions: Parameters<typeof import('../../proxy/ask-engine.js').replayDumped>[2],
): Promise<Replayed | null> {
  const { replayDumped } = await import('../../proxy/ask-engine.js')
  const { status, body } = await askAdmin(admin, '/config_dump')
  return status === 200 ? replayDumped(addon, (JSON.parse(body) as { config: unknown }).config, questions) : null
}

/** Headers that the candidate looks at and that the records do not hold. */
function unseen(records: readonly DecisionRecord[], before: Replayed | null, after: Replayed): string[] {
  const held = new Set(before?.headers ?? records.flatMap(({ headers }) => Object.keys(headers)))
  const hidden = new Set(before?.redacted ?? [])
  const missing = after.headers.filter((name) => (!held.has(name) || hidden.has(name)) && name !== 'host')
  if (missing.length === 0) return []
  return [
    `the records do not hold ${missing.join(', ')}, which the candidate looks at: replayed as absent; name them under records.headers to have them`,
  ]
}
