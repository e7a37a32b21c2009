/**
 * The one interface of the control plane's state: keyed values, atomic commits with compare-and-set, watches, history.
 *
 * Invariants: the revision grows by one per commit; a value's version is the revision that wrote it, so that it never
 * comes back after a deletion; reads are answered from memory and never fail; a commit is visible and announced only
 * once it is durable; commits are announced in their order, each once.
 */
import type { Key } from './key.js'
import type { Replicas } from './replicas.js'

export type Value = Readonly<Record<string, unknown>>

export interface Entry {
  key: Key
  value: Value
  /** The revision that wrote this value. */
  version: number
  createdRevision: number
  createdAtMs: number
  changedAtMs: number
  changedBy: string
}

export interface Change {
  key: Key
  /** `null` deletes. */
  value: Value | null
  /** The version that must be in force: 0 for "must not exist", `null` for whatever it is. */
  expect: number | null
}

export interface Batch {
  author: string
  /** Why, in a word or two: `apply`, `rollback to 12`. */
  reason: string
  changes: readonly Change[]
}

export interface Commit {
  revision: number
  atMs: number
  author: string
  reason: string
  changes: readonly { key: Key; value: Value | null }[]
}

/** A commit with what it found and what it left. */
export interface Applied extends Omit<Commit, 'changes'> {
  changes: readonly { key: Key; before: Entry | null; after: Entry | null }[]
}

/** `relist`: what lies between is no longer known or was replaced as a whole; read everything again. */
export type WatchEvent = { type: 'commit'; applied: Applied } | { type: 'relist'; revision: number }

export interface HistoryEntry {
  revision: number
  atMs: number
  author: string
  reason: string
  /** `null`: it was deleted. */
  value: Value | null
}

/** How the store is, for `weft status` and `weft check`. */
export interface StoreStatus {
  type: 'embedded' | 'etcd'
  writable: boolean
  /** Why not, when it is not. */
  reason: string | null
  /** `null` where there is only one replica. */
  leader: { id: string; address: string; isSelf: boolean } | null
  /** What was found damaged at the start, in sentences; empty for a sound store. */
  findings: readonly string[]
}

export interface Store {
  revision(): number
  get(key: Key): Entry | null
  /** By kind and namespace when they are given, in the order of their keys. */
  list(filter?: { kind?: string; namespace?: string }): Entry[]
  /** All changes or none; throws `WEFT_STORE_CONFLICT` when an expectation fails. */
  commit(batch: Batch): Promise<Applied>
  /**
   * Commits from the revision `from` on, those still known first; the returned function ends it. What a listener throws
   * is logged: the commit stands, and the others are told.
   */
  watch(from: number, listener: (event: WatchEvent) => void): () => void
  /** Newest first; reaches back `historyDepth` changes. */
  history(key: Key): readonly HistoryEntry[]
  /** The others on the same store; null where there can be none. */
  replicas: Replicas | null
  status(): StoreStatus
  /** Calls back when `status` has changed; the returned function ends it. */
  onStatus(listener: () => void): () => void
  close(): Promise<void>
}
