/**
 * Commits as they were applied, from what a store keeps of them (what they wrote) and from what is in force now.
 *
 * Invariants: what stood before a change is the real thing or the commit is left out, with all that came before it; what
 * is given is in unbroken order and ends with the last commit.
 */
import { formatKey } from './key.js'
import type { Applied, Commit, Entry } from './store.js'

/** `commits`: in their order; `inForce`: what stands after the last of them. */
export function rebuildCommits(commits: readonly Commit[], inForce: ReadonlyMap<string, Entry>): Applied[] {
  const known = new Map<string, Entry | null>()
  const isWhole = commits[0]?.revision === 1
  let rebuilt: Applied[] = []
  for (const commit of commits) {
    if (rebuilt.length > 0 && rebuilt.at(-1)?.revision !== commit.revision - 1) rebuilt = []
    const changes = commit.changes.map((change) => rebuildChange(commit, change, known, inForce, isWhole))
    const whole = changes.filter((change) => change !== null)
    if (whole.length === changes.length) rebuilt.push({ ...commit, changes: whole })
    else rebuilt = []
  }
  return rebuilt
}

/** Null: what stood there before, or since when, is older than the commits. */
function rebuildChange(
  { revision, atMs, author }: Commit,
  { key, value }: Commit['changes'][number],
  known: Map<string, Entry | null>,
  inForce: ReadonlyMap<string, Entry>,
  isWhole: boolean,
): Applied['changes'][number] | null {
  const name = formatKey(key)
  const now = inForce.get(name)
  const isFirst = now?.createdRevision === revision || (isWhole && !known.has(name))
  const before = isFirst ? null : known.get(name)
  // One that is in force since before this commit tells when it was created, even if its earlier value is not known.
  const created = now !== undefined && now.createdRevision <= revision ? now : (before ?? null)
  if (value === null) {
    known.set(name, null)
    return before === undefined ? null : { key, before, after: null }
  }
  if (before === undefined && created === null) return null // since when is not known either
  const after: Entry = {
    ...{ key, value, version: revision, changedAtMs: atMs, changedBy: author },
    createdRevision: created?.createdRevision ?? revision,
    createdAtMs: created?.createdAtMs ?? atMs,
  }
  known.set(name, after)
  return before === undefined ? null : { key, before, after }
}
