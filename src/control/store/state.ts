/**
 * The state that commits make, in memory: entries, their history, the latest commits for watchers. Both stores keep one
 * and differ only in how they make a commit durable.
 *
 * Invariants: pure but for its own maps; `apply` takes commits in order and never fails; `stage` decides without
 * changing anything, so that a group of commits can be checked against each other before any of them is written.
 */
import { WeftError } from '../../errors.js'
import { checkKey, formatKey, isResourceKind, type Key } from './key.js'
import { Listeners } from './listeners.js'
import { rebuildCommits } from './rebuilt-commits.js'
import type { Applied, Batch, Commit, Entry, HistoryEntry, WatchEvent } from './store.js'

/** Changes kept per resource. */
export const historyDepth = 20
/** Commits kept for watchers that fell behind. */
const retainedCommits = 1_000
/** Deleted resources whose history is kept, so that a deletion can be taken back. */
const retainedDeletions = 1_000

/** An entry with its history, as snapshots hold it; `entry` is null for a deleted one. */
export interface Retained {
  entry: Entry | null
  key: Key
  history: HistoryEntry[]
}

/** The versions that commits of the same group have already given out. */
export type Staged = Map<string, { version: number; author: string; atMs: number }>

export class StoreState {
  private current = 0
  private readonly entries = new Map<string, Entry>()
  private readonly histories = new Map<string, HistoryEntry[]>()
  /** In the order of deletion. */
  private readonly deleted = new Set<string>()
  private readonly recent: Applied[] = []
  private readonly watchers: Listeners<WatchEvent>

  /** `warn` is told what a watcher threw. */
  constructor(warn: (message: string) => void) {
    this.watchers = new Listeners(warn)
  }

  get revision(): number {
    return this.current
  }

  get(key: Key): Entry | null {
    return this.entries.get(formatKey(key)) ?? null
  }

  list({ kind, namespace }: { kind?: string; namespace?: string } = {}): Entry[] {
    const found: [string, Entry][] = []
    for (const pair of this.entries) {
      const { key } = pair[1]
      if ((kind === undefined || key.kind === kind) && (namespace === undefined || key.namespace === namespace))
        found.push(pair)
    }
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry)
  }

  history(key: Key): readonly HistoryEntry[] {
    return this.histories.get(formatKey(key)) ?? []
  }

  /** The commit that a batch becomes as revision `revision`; throws when an expectation fails. */
  stage({ author, reason, changes }: Batch, revision: number, atMs: number, staged: Staged): Commit {
    for (const { key, expect } of changes) {
      checkKey(key)
      if (expect !== null) this.expectVersion(key, expect, staged)
    }
    return { revision, atMs, author, reason, changes: changes.map(({ key, value }) => ({ key, value })) }
  }

  apply(commit: Commit): Applied {
    const changes = commit.changes.map(({ key, value }) => {
      const name = formatKey(key)
      const before = this.entries.get(name) ?? null
      const after: Entry | null = value && {
        key,
        value,
        version: commit.revision,
        createdRevision: before?.createdRevision ?? commit.revision,
        createdAtMs: before?.createdAtMs ?? commit.atMs,
        changedAtMs: commit.atMs,
        changedBy: commit.author,
      }
      if (after === null) this.entries.delete(name)
      else this.entries.set(name, after)
      this.remember(commit, key, value)
      return { key, before, after }
    })
    const applied = { ...commit, changes }
    this.current = commit.revision
    this.recent.push(applied)
    if (this.recent.length > retainedCommits) this.recent.shift()
    this.watchers.tell({ type: 'commit', applied })
    return applied
  }

  /** Adds a change to the history of a resource; the registry's and the tokens' have none. */
  remember({ revision, atMs, author, reason }: Commit, key: Key, value: HistoryEntry['value']): void {
    if (!isResourceKind(key.kind)) return
    const name = formatKey(key)
    const history = this.histories.get(name) ?? []
    this.histories.set(name, [{ revision, atMs, author, reason, value }, ...history].slice(0, historyDepth))
    this.deleted.delete(name)
    if (value === null) this.deleted.add(name)
    const [oldest] = this.deleted
    if (oldest !== undefined && this.deleted.size > retainedDeletions) {
      this.deleted.delete(oldest)
      this.histories.delete(oldest)
    }
  }

  watch(from: number, listener: (event: WatchEvent) => void): () => void {
    const oldest = this.recent[0]?.revision ?? this.current + 1
    if (from < oldest || from > this.current + 1) {
      if (from !== this.current + 1) listener({ type: 'relist', revision: this.current })
    } else {
      for (const applied of this.recent) if (applied.revision >= from) listener({ type: 'commit', applied })
    }
    return this.watchers.add(listener)
  }

  /** Everything at this revision, for a snapshot; the values are shared, the list is not. */
  retained(): Retained[] {
    const living = [...this.entries].map(([name, entry]) => ({
      entry,
      key: entry.key,
      history: this.histories.get(name) ?? [],
    }))
    const dead = [...this.deleted].map((name) => {
      const [kind = '', namespace = '', key = ''] = name.split('/')
      return { entry: null, key: { kind, namespace, name: key }, history: this.histories.get(name) ?? [] }
    })
    return [...living, ...dead]
  }

  /** A commit that is still known, as it was applied. */
  appliedAt(revision: number): Applied | null {
    const first = this.recent[0]?.revision ?? 0
    return this.recent[revision - first] ?? null
  }

  /** Replaces everything, and tells watchers to read again; `commits`, the last before `revision`, add their changes. */
  load(revision: number, retained: Iterable<Retained>, commits: readonly Commit[] = []): void {
    this.entries.clear()
    this.histories.clear()
    this.deleted.clear()
    this.recent.length = 0
    for (const { entry, key, history } of retained) {
      const name = formatKey(key)
      if (history.length > 0) this.histories.set(name, history)
      if (entry === null) this.deleted.add(name)
      else this.entries.set(name, entry)
    }
    for (const commit of commits) for (const { key, value } of commit.changes) this.remember(commit, key, value)
    if (commits.at(-1)?.revision === revision) this.recent.push(...rebuildCommits(commits, this.entries))
    this.current = revision
    this.watchers.tell({ type: 'relist', revision })
  }

  private expectVersion(key: Key, expect: number, staged: Staged): void {
    const name = formatKey(key)
    const entry = this.entries.get(name)
    const inForce = staged.get(name) ?? {
      version: entry?.version ?? 0,
      author: entry?.changedBy ?? this.histories.get(name)?.[0]?.author ?? 'somebody',
      atMs: entry?.changedAtMs ?? this.histories.get(name)?.[0]?.atMs ?? 0,
    }
    if (inForce.version === expect) return
    throw new WeftError('WEFT_STORE_CONFLICT', conflict(name, expect, inForce), {
      path: name,
      hint: 'read it again, put your change into what stands there now, and apply that',
    })
  }
}

/** Lets the next commits of the group see this one's versions. */
export function reserve({ revision, author, atMs, changes }: Commit, staged: Staged): void {
  for (const { key, value } of changes) {
    staged.set(formatKey(key), { version: value === null ? 0 : revision, author, atMs })
  }
}

function conflict(
  name: string,
  expect: number,
  { version, author, atMs }: { version: number; author: string; atMs: number },
) {
  const when = atMs === 0 ? '' : ` at ${new Date(atMs).toISOString()}`
  if (version === 0)
    return `${name} was to be at version ${expect}, but ${atMs === 0 ? 'it does not exist' : `${author} deleted it${when}`}`
  if (expect === 0) return `${name} was to be new, but ${author} wrote version ${version}${when}`
  return `${name} was to be at version ${expect}, but ${author} wrote version ${version}${when}`
}
