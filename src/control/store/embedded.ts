/**
 * The embedded store: one process, one folder, an append log and a snapshot.
 *
 * Invariants: `commit` resolves after its record is flushed; commits that wait together share one flush; a batch is
 * judged against what is durable and what its group stages before it, so a failed flush takes nothing back that was
 * seen; a snapshot is written beside the log and only then replaces what it holds.
 */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { WeftError } from '../../errors.js'
import { type FolderLock, listNumbered, lockFolder, logName, makeFolder, setAside, syncFolder } from './data-folder.js'
import { encodeFrame } from './frame.js'
import { Listeners, warnByProcess } from './listeners.js'
import { LogFile, unwritable } from './log-file.js'
import { recover } from './recover.js'
import { writeSnapshot } from './snapshot.js'
import { reserve, type Staged, type StoreState } from './state.js'
import type { Applied, Batch, Commit, Store, StoreStatus } from './store.js'

export interface EmbeddedOptions {
  folder: string
  /** Wall clock of the commits. */
  nowMs: () => number
  /** A log of this size gives way to a snapshot. */
  maxLogBytes?: number
  /** Told what could not be done beside the commits: a snapshot that found no room, a watcher that threw. */
  warn?: (message: string) => void
}

/** One commit's record; a batch above it is refused. */
const maxCommitBytes = 16 * 1024 * 1024
/** Commits that share a flush at most. */
const maxGroup = 512
/** Put between what was recovered and what is new when commits may have been lost between them. */
const lostRevisions = 1_000_000

interface Waiting {
  batch: Batch
  resolve: (applied: Applied) => void
  reject: (error: unknown) => void
}

/** Throws `WEFT_STORE_LOCKED`, `WEFT_STORE_CORRUPT` or `WEFT_STORE_UNWRITABLE`. */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<Store> {
  const { folder } = options
  await makeFolder(folder)
  const lock = await lockFolder(folder)
  try {
    const { state, log, damaged, findings } = await recover(folder, options.warn ?? warnByProcess)
    if (damaged.length > 0) {
      state.load(state.revision + lostRevisions, state.retained())
      await writeSnapshot(folder, { revision: state.revision, retained: state.retained() })
      for (const file of damaged) await setAside(file)
    }
    const file = log === null ? await beginLog(folder, state.revision + 1) : await LogFile.open(log.path, log.bytes)
    return new EmbeddedStore(options, lock, state, file, findings)
  } catch (error) {
    await lock.release()
    throw error instanceof WeftError ? error : unwritable(folder, error as NodeJS.ErrnoException)
  }
}

async function beginLog(folder: string, firstRevision: number): Promise<LogFile> {
  const path = join(folder, logName(firstRevision))
  await (await open(path, 'w', 0o600)).close()
  await syncFolder(folder)
  return LogFile.open(path, 0)
}

class EmbeddedStore implements Store {
  private readonly waiting: Waiting[] = []
  private flushing: Promise<void> | null = null
  private snapshotting: Promise<void> | null = null
  private closed = false
  private trouble: string | null = null
  private readonly statusListeners: Listeners<void>
  private readonly maxLogBytes: number
  private readonly options: EmbeddedOptions
  private readonly lock: FolderLock
  private readonly state: StoreState
  private readonly findings: readonly string[]
  private log: LogFile

  constructor(options: EmbeddedOptions, lock: FolderLock, state: StoreState, log: LogFile, findings: string[]) {
    this.options = options
    this.lock = lock
    this.state = state
    this.log = log
    this.findings = findings
    this.statusListeners = new Listeners(options.warn ?? warnByProcess)
    this.maxLogBytes = options.maxLogBytes ?? 8 * 1024 * 1024
  }

  readonly replicas = null
  revision = () => this.state.revision
  get: Store['get'] = (key) => this.state.get(key)
  list: Store['list'] = (filter) => this.state.list(filter)
  watch: Store['watch'] = (from, listener) => this.state.watch(from, listener)
  history: Store['history'] = (key) => this.state.history(key)

  status(): StoreStatus {
    return {
      type: 'embedded',
      writable: this.trouble === null,
      reason: this.trouble,
      leader: null,
      findings: this.findings,
    }
  }

  onStatus(listener: () => void): () => void {
    return this.statusListeners.add(listener)
  }

  commit(batch: Batch): Promise<Applied> {
    if (this.closed) return Promise.reject(new WeftError('WEFT_STORE_CLOSED', 'the store is closed'))
    return new Promise((resolve, reject) => {
      this.waiting.push({ batch, resolve, reject })
      this.flushing ??= this.flush()
    })
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.flushing
    await this.snapshotting
    await this.log.close()
    await this.lock.release()
  }

  private async flush(): Promise<void> {
    // A turn of the loop, so that everything that was asked for in this one shares the first flush.
    await null
    while (this.waiting.length > 0) await this.flushGroup(this.waiting.splice(0, maxGroup))
    // In the same turn as the last look, or what comes between would wait for ever.
    this.flushing = null
  }

  private async flushGroup(group: readonly Waiting[]): Promise<void> {
    const staged: Staged = new Map()
    const accepted: { commit: Commit; frame: Buffer; waiting: Waiting }[] = []
    for (const waiting of group) {
      try {
        const revision = this.state.revision + accepted.length + 1
        const commit = this.state.stage(waiting.batch, revision, this.options.nowMs(), staged)
        accepted.push({ commit, frame: encodeCommit(commit), waiting })
        reserve(commit, staged)
      } catch (error) {
        waiting.reject(error)
      }
    }
    if (accepted.length === 0) return
    try {
      await this.log.append(accepted.map(({ frame }) => frame))
      this.setTrouble(null)
    } catch (error) {
      this.setTrouble((error as Error).message)
      for (const { waiting } of accepted) waiting.reject(error)
      return
    }
    for (const { commit, waiting } of accepted) waiting.resolve(this.state.apply(commit))
    if (this.log.bytes > this.maxLogBytes && this.snapshotting === null) await this.rotate()
  }

  /** Goes on in a new log at once and writes the snapshot of what came before beside it. */
  private async rotate(): Promise<void> {
    const { folder, warn } = this.options
    const { revision } = this.state
    try {
      const old = this.log
      this.log = await beginLog(folder, revision + 1)
      await old.close()
    } catch (error) {
      warn?.(`no new log: ${(error as Error).message}; the old one goes on`)
      return
    }
    this.snapshotting = writeSnapshot(folder, { revision, retained: this.state.retained() })
      .then(() => removeReplaced(folder))
      .catch((error) => warn?.(`no snapshot of revision ${revision}: ${error.message}; the logs are kept`))
      .finally(() => {
        this.snapshotting = null
      })
  }

  private setTrouble(trouble: string | null): void {
    if (this.trouble === trouble) return
    this.trouble = trouble
    this.statusListeners.tell()
  }
}

function encodeCommit(commit: Commit): Buffer {
  const payload = Buffer.from(JSON.stringify(commit))
  if (payload.length <= maxCommitBytes) return encodeFrame(payload)
  throw new WeftError('WEFT_STORE_TOO_LARGE', `${payload.length} bytes in one commit; at most ${maxCommitBytes}`, {
    hint: 'apply it in several parts',
  })
}

/** Keeps the two newest snapshots and every log that the older of them needs. */
async function removeReplaced(folder: string): Promise<void> {
  const snapshots = await listNumbered(folder, 'snapshot')
  const kept = snapshots.at(-2)
  if (kept === undefined) return
  const logs = await listNumbered(folder, 'log')
  const needed = logs.findLastIndex(({ revision }) => revision <= kept.revision + 1)
  const replaced = [...snapshots.slice(0, -2), ...logs.slice(0, Math.max(0, needed))]
  for (const { file } of replaced) await rm(file)
  await syncFolder(folder)
}
