/** Issues of the API and refusals of data planes, put at the lines of the files that the resources came from. */
import type { FiledResource } from '../control/client/resource-files.js'
import { type Issue, WeftError } from '../errors.js'
import type { Session } from './session.js'
import type { Verdict } from './verdicts.js'

interface Placed extends Issue {
  index?: number
}

/** What `ask` gives; where the API finds issues, they are printed file by file and the exit code is given instead. */
export async function failPlaced<Result>(
  session: Session,
  resources: readonly FiledResource[],
  ask: () => Promise<Result>,
): Promise<Result | number> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    const issues = error.issues as Placed[]
    if (issues.length === 0 || issues.some(({ index }) => index === undefined)) throw error
    const byFile = new Map<string, Issue[]>()
    for (const issue of issues) {
      const filed = resources[issue.index ?? 0]
      if (filed === undefined) throw error
      const placed = { ...issue, line: await lineOf(filed, issue.path) }
      byFile.set(filed.file, [...(byFile.get(filed.file) ?? []), placed])
    }
    let code = 0
    for (const [file, found] of byFile) {
      const count = found.length === 1 ? '1 issue' : `${found.length} issues`
      code = session.fail(
        new WeftError(error.code, `${file} has ${count}, nothing was applied`, { issues: found }),
        file,
      )
    }
    return code
  }
}

/** One line per refusal: the data plane, what it refused, where that stands. */
export async function explainRefusals(
  verdicts: readonly Verdict[],
  resources: readonly FiledResource[],
): Promise<string[]> {
  const lines: string[] = []
  for (const { node, refusals } of verdicts) {
    for (const { resource, path, message } of refusals) {
      const filed = resources.find(({ value }) => nameOf(value) === resource)
      const place = filed === undefined ? (resource ?? 'it') : `${filed.file}:${await lineOf(filed, path ?? '')}`
      lines.push(`  ${node} refused ${place}${path === null ? '' : `  ${path}`}  ${message}`)
    }
  }
  return lines
}

/** `Kind.group/namespace/name`, as the control plane names it. */
function nameOf(value: unknown): string {
  const {
    apiVersion = '',
    kind,
    metadata,
  } = value as { apiVersion?: string; kind?: string; metadata?: Record<string, string> }
  return `${kind}.${apiVersion.split('/')[0]}/${metadata?.namespace ?? 'default'}/${metadata?.name}`
}

async function lineOf({ text, document }: FiledResource, path: string): Promise<number> {
  const { lineOfPath } = await import('../control/client/resource-files.js')
  return lineOfPath(text, document, path)
}
