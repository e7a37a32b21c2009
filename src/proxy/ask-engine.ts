/**
 * Questions that the engine answers about a configuration without serving it: what it would refuse, and where a request
 * would go. The same compiled matcher answers that routes requests.
 */
import { dirname, resolve } from 'node:path'
import type { ResolvedConfig } from '../config/config.js'
import { loadTree, placeFinder } from '../config/files/include.js'
import { issueAt } from '../config/validate.js'
import { type Issue, WeftError } from '../errors.js'
import type { Explained, ListenerAnswer, Question } from '../native/explanation.js'
import type { Addon } from '../native/index.js'
import type { Replayed } from '../native/replayed.js'
import { compileSnapshot } from './compile-snapshot.js'
import { discover } from './discovery-sources.js'
import { encodeSnapshot } from './encode-snapshot.js'

type Rejected = Explained['rejected']

/** Throws `WEFT_CONFIG_INVALID` with what only the engine can find, such as a regex that does not compile. */
export async function checkByEngine(addon: Addon, config: ResolvedConfig, file: string): Promise<void> {
  const snapshot = await encoded(config, file)
  await refuse(JSON.parse(addon.check(snapshot)) as Rejected, file)
}

/** What each listener that is asked about would do with a request. */
export async function explainRequest(
  addon: Addon,
  config: ResolvedConfig,
  file: string,
  question: Question,
): Promise<ListenerAnswer[]> {
  const snapshot = await encoded(config, file)
  const { rejected, answers } = JSON.parse(addon.explain(snapshot, JSON.stringify(question))) as Explained
  await refuse(rejected, file)
  return answers
}

/** Where recorded requests would go; each question names its listener. */
export async function replayRequests(
  addon: Addon,
  config: ResolvedConfig,
  file: string,
  questions: readonly Question[],
): Promise<Replayed> {
  const replayed = JSON.parse(addon.replay(await encoded(config, file), JSON.stringify(questions))) as Replayed
  await refuse(replayed.rejected, file)
  return replayed
}

/** The same under what a proxy answered to `/config_dump`; null when this version makes nothing of it. */
export function replayDumped(addon: Addon, dumped: unknown, questions: readonly Question[]): Replayed | null {
  try {
    const snapshot = encodeSnapshot(compileSnapshot(dumped as ResolvedConfig, '/config'))
    const replayed = JSON.parse(addon.replay(snapshot, JSON.stringify(questions))) as Replayed
    return replayed.rejected.length === 0 ? replayed : null
  } catch {
    return null
  }
}

/** With what the registries know now. */
async function encoded(config: ResolvedConfig, file: string): Promise<Buffer> {
  const { endpoints } = await discover(config, dirname(resolve(file)))
  return encodeSnapshot(compileSnapshot(config, file, endpoints))
}

async function refuse(rejected: Rejected, file: string): Promise<void> {
  if (rejected.length === 0) return
  const placeOf = await placeFinder(await loadTree(file))
  const issues = rejected.map(({ path, code, message }): Issue => {
    const steps = path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step))
    return { ...issueAt(placeOf(steps), { path: steps, code: 'WEFT_CONFIG_INVALID', message, hint: null }), code }
  })
  const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`
  throw new WeftError('WEFT_CONFIG_INVALID', `${file} has ${count}`, { issues })
}
