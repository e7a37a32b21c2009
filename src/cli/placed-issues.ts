/** Issues of the API and refusals of data planes, put at the lines of the files that the resources came from. */
import type { FiledResource } from '../control/client/resource-files.js'
import { type Issue, WeftError } from '../errors.js'
import { describeNotice, type Notice } from './resource.js'
import type { Session } from './session.js'
import type { Verdict } from './verdicts.js'

interface Placed extends Issue {
  index?: number
}

/** What `ask` gives; where the API finds issues, they are printed file by file and the exit code is given instead. */
export async function failPlaced<Result>(
  { fail }: Pick<Session, 'fail'>,
  resources: readonly FiledResource[],
  ask: () => Result | Promise<Result>,
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
    for (const [file, unsorted] of byFile) {
      const found = unsorted.sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
      const count = found.length === 1 ? '1 issue' : `${found.length} issues`
      code = fail(new WeftError(error.code, `${file} has ${count}`, { issues: found }), file)
    }
    return code
  }
}

/** One line per notice, at its place. */
export function explainNotices(notices: readonly Notice[], resources: readonly FiledResource[]): Promise<string[]> {
  return Promise.all(
    notices.map(async (notice) => {
      const filed = resources.find(({ value }) => nameOf(value) === notice.resource)
      const place = filed === undefined ? null : `${filed.file}:${await lineOf(filed, notice.path)}`
      return describeNotice(notice, place)
    }),
  )
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
