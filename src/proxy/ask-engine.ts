/**
 * Questions that the engine answers about a configuration without serving it: what it would refuse, and where a request
 * would go. The same compiled matcher answers that routes requests.
 */
import type { ResolvedConfig } from '../config/config.js'
import { lineFinder, loadFile } from '../config/load.js'
import { formatPath } from '../config/path.js'
import { WeftError } from '../errors.js'
import type { Explained, ListenerAnswer, Question } from '../native/explanation.js'
import type { Addon } from '../native/index.js'
import { compileSnapshot } from './compile-snapshot.js'
import { encodeSnapshot } from './encode-snapshot.js'

type Rejected = Explained['rejected']

/** Throws `WEFT_CONFIG_INVALID` with what only the engine can find, such as a regex that does not compile. */
export async function checkByEngine(addon: Addon, config: ResolvedConfig, file: string): Promise<void> {
  const snapshot = encodeSnapshot(compileSnapshot(config, file))
  await refuse(JSON.parse(addon.check(snapshot)) as Rejected, file)
}

/** What each listener that is asked about would do with a request. */
export async function explainRequest(
  addon: Addon,
  config: ResolvedConfig,
  file: string,
  question: Question,
): Promise<ListenerAnswer[]> {
  const snapshot = encodeSnapshot(compileSnapshot(config, file))
  const { rejected, answers } = JSON.parse(addon.explain(snapshot, JSON.stringify(question))) as Explained
  await refuse(rejected, file)
  return answers
}

async function refuse(rejected: Rejected, file: string): Promise<void> {
  if (rejected.length === 0) return
  const lineOf = await lineFinder((await loadFile(file)).text)
  const issues = rejected.map(({ path, code, message }) => {
    const steps = path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step))
    return { path: formatPath(steps), code, message, hint: null, line: lineOf(steps) }
  })
  const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`
  throw new WeftError('WEFT_CONFIG_INVALID', `${file} has ${count}`, { issues })
}
