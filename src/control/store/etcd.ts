/**
 * The store on etcd, for several replicas: everything in memory as in the embedded store, commits made durable by a
 * transaction, other replicas' commits learned by a watch.
 *
 * Keys under the prefix: `resources/KIND/NAMESPACE/NAME` (what is in force), `commits/REVISION` (the newest 1,000),
 * `revision` (the number of the last commit), `leader` (the election), `replicas/ID/PART` (what replicas tell each other).
 *
 * Invariants: only the leader writes; each transaction compares the election key's creation revision and the number of
 * the last commit, so a deposed leader's late write fails whatever it believes; commits are applied in unbroken order,
 * and a gap, for example by compaction, is closed by reading the commits again, or everything where they are gone; reads never wait for etcd.
 */
import { WeftError } from '../../errors.js'
import { EtcdClient, type EtcdOptions, type KeyValue, type Operation } from './etcd-client.js'
import { Election } from './etcd-election.js'
import { EtcdReplicas } from './etcd-replicas.js'
import { formatKey } from './key.js'
import { Listeners, warnByProcess } from './listeners.js'
import { reserve, type Staged, StoreState } from './state.js'
import type { Applied, Batch, Commit, Entry, Store, StoreStatus } from './store.js'

export interface EtcdStoreOptions extends EtcdOptions {
  prefix?: string
  /** Unique name of this replica. */
  id: string
  /** Where this replica serves its API. */
  address: string
  /** Seconds after which a silent leader loses its place. */
  leaseTtlS?: number
  nowMs: () => number
  /** Told what a watcher threw. */
  warn?: (message: string) => void
}

/** etcd takes 128 operations and 1.5 MiB a transaction unless it is told otherwise. */
const maxOperations = 120
const maxBytes = 1_200_000
const pageSize = 200
const retainedCommits = 1_000
const retryMs = 200
/** A replica that was killed is listed for so long. */
const replicaTtlS = 5

interface Waiting {
  batch: Batch
  resolve: (applied: Applied) => void
  reject: (error: unknown) => void
}

/** Resolves when everything was read and the first round of the election is over. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const store = new EtcdStore(options)
  try {
    await store.open()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

class EtcdStore implements Store {
  private readonly options: EtcdStoreOptions
  private readonly client: EtcdClient
  private readonly election: Election
  readonly replicas: EtcdReplicas
  private readonly state: StoreState
  private readonly prefix: string
  private readonly waiting: Waiting[] = []
  private readonly statusListeners: Listeners<void>
  private flushing: Promise<void> | null = null
  private syncing: Promise<void> | null = null
  private endWatch: () => void = () => {}
  private retry: NodeJS.Timeout | null = null
  /** etcd's own revision up to which we have read. */
  private readRevision = '0'
  private behind: string | null = null
  private closed = false

  constructor(options: EtcdStoreOptions) {
    this.options = options
    this.prefix = options.prefix ?? '/weft/'
    const warn = options.warn ?? warnByProcess
    this.state = new StoreState(warn)
    this.statusListeners = new Listeners(warn)
    this.client = new EtcdClient(options)
    this.election = new Election({
      client: this.client,
      key: `${this.prefix}leader`,
      id: options.id,
      address: options.address,
      ttlS: options.leaseTtlS ?? 3,
      nowMs: () => performance.now(),
      onChange: () => this.announceStatus(),
    })
    const { id } = options
    this.replicas = new EtcdReplicas({ client: this.client, prefix: this.prefix, id, ttlS: replicaTtlS, warn })
  }

  revision = () => this.state.revision
  get: Store['get'] = (key) => this.state.get(key)
  list: Store['list'] = (filter) => this.state.list(filter)
  watch: Store['watch'] = (from, listener) => this.state.watch(from, listener)
  history: Store['history'] = (key) => this.state.history(key)

  async open(): Promise<void> {
    await this.sync()
    await this.election.start()
    this.replicas.start()
  }

  status(): StoreStatus {
    const leader = this.election.leader()
    const reason = this.election.trouble ?? this.behind
    const elsewhere = leader?.isSelf ? null : leader === null ? 'no replica leads' : `${leader.id} leads`
    return {
      type: 'etcd',
      writable: reason === null && elsewhere === null,
      reason: reason ?? elsewhere,
      leader,
      findings: [],
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
    if (this.retry !== null) clearTimeout(this.retry)
    this.endWatch()
    await this.flushing
    await this.election.close()
    await this.replicas.close()
    this.client.close()
  }

  private async flush(): Promise<void> {
    await null // what was asked for in this turn of the loop shares a transaction
    while (this.waiting.length > 0) await this.flushGroup()
    // In the same turn as the last look, or what comes between would wait for ever.
    this.flushing = null
  }

  private async flushGroup(): Promise<void> {
    const { group, operations } = this.takeGroup()
    const last = group.at(-1)
    if (last === undefined) return
    try {
      await this.transact(last.commit.revision - group.length, last.commit.revision, operations)
      for (const { commit, waiting } of group) {
        waiting.resolve(this.state.appliedAt(commit.revision) ?? this.state.apply(commit))
      }
    } catch (error) {
      if (error instanceof Overtaken) {
        // A former leader's last commit: learn it and judge the batches again.
        this.waiting.unshift(...group.map(({ waiting }) => waiting))
        await this.sync().catch(() => {
          for (const waiting of this.waiting.splice(0)) waiting.reject(this.unreachable())
        })
      } else for (const { waiting } of group) waiting.reject(error)
    }
  }

  /** As many waiting batches as one transaction takes; those that fail by themselves are told at once. */
  private takeGroup() {
    const staged: Staged = new Map()
    const group: { commit: Commit; waiting: Waiting }[] = []
    const operations = new Map<string, Operation>()
    let bytes = 0
    while (this.waiting[0] !== undefined) {
      const waiting = this.waiting[0]
      try {
        const revision = this.state.revision + group.length + 1
        const commit = this.state.stage(waiting.batch, revision, this.options.nowMs(), staged)
        const mine = this.operationsOf(commit, operations)
        const size = mine.reduce((sum, one) => sum + ('value' in one ? one.value.length : 0), 0)
        const fits = bytes + size <= maxBytes && operations.size + mine.length <= maxOperations
        if (!fits && group.length > 0) break
        if (!fits) throw tooLarge(commit.changes.length, size)
        bytes += size
        for (const one of mine) operations.set('put' in one ? one.put : 'delete' in one ? one.delete : '', one)
        reserve(commit, staged)
        group.push({ commit, waiting })
      } catch (error) {
        waiting.reject(error)
      }
      this.waiting.shift()
    }
    return { group, operations: [...operations.values()] }
  }

  /** `earlier`: what the commits before it in the same transaction write. */
  private operationsOf(commit: Commit, earlier: Map<string, Operation>): Operation[] {
    const resources = commit.changes.map(({ key, value }): Operation => {
      const name = `${this.prefix}resources/${formatKey(key)}`
      if (value === null) return { delete: name }
      const staged = earlier.get(name)
      const before =
        staged === undefined ? this.state.get(key) : 'put' in staged ? (JSON.parse(staged.value) as Entry) : null
      const entry: Entry = {
        key,
        value,
        version: commit.revision,
        createdRevision: before?.createdRevision ?? commit.revision,
        createdAtMs: before?.createdAtMs ?? commit.atMs,
        changedAtMs: commit.atMs,
        changedBy: commit.author,
      }
      return { put: name, value: JSON.stringify(entry) }
    })
    return [...resources, { put: this.commitKey(commit.revision), value: JSON.stringify(commit) }]
  }

  /** Carries the operations out as the commits after `base`, if we lead and nothing came between. */
  private async transact(base: number, last: number, operations: Operation[]): Promise<void> {
    // Without a fence, who leads may have changed while this process was held up: ask before it is told.
    if (this.election.fence() === null) await this.election.refresh()
    const fence = this.election.fence()
    if (fence === null) throw this.notLeader()
    const leaderKey = `${this.prefix}leader`
    const counter = `${this.prefix}revision`
    const numbered = base === 0 ? { key: counter, createRevision: '0' } : { key: counter, value: String(base) }
    const success: Operation[] = [...operations, { put: counter, value: String(last) }]
    if (Math.floor(last / 100) > Math.floor(base / 100)) {
      success.push({ delete: this.commitKey(0), before: this.commitKey(Math.max(0, last - retainedCommits)) })
    }
    const compare = [{ key: leaderKey, createRevision: fence }, numbered]
    const { succeeded, found } = await this.client.txn(compare, success, [{ get: leaderKey }]).catch((error) => {
      throw error instanceof WeftError && error.code === 'WEFT_STORE_UNREACHABLE' ? unconfirmed(error) : error
    })
    if (succeeded) return
    if (found[0]?.createRevision === fence) throw new Overtaken()
    this.election.deposed()
    await this.election.refresh()
    throw this.notLeader()
  }

  /** Reads everything at one revision of etcd and watches from there. */
  private sync(): Promise<void> {
    this.syncing ??= this.readAll().finally(() => {
      this.syncing = null
    })
    return this.syncing
  }

  private async readAll(): Promise<void> {
    this.endWatch()
    const counter = await this.client.range(`${this.prefix}revision`, `${this.prefix}revision`, null, 1)
    const at = counter.revision
    const revision = Number(counter.found[0]?.value ?? 0)
    const commits = (await this.readPrefix(`${this.prefix}commits/`, at)).map(
      ({ value }) => JSON.parse(value) as Commit,
    )
    if (!this.catchUp(commits, revision)) {
      const resources = await this.readPrefix(`${this.prefix}resources/`, at)
      if (this.closed) return
      const entries = resources.map(({ value }) => JSON.parse(value) as Entry)
      this.state.load(
        revision,
        entries.map((entry) => ({ entry, key: entry.key, history: [] })),
        commits,
      )
    }
    if (this.closed) return
    this.readRevision = at
    this.follow()
  }

  /** Applies what was missed, where every commit of it is still kept: watchers, and the audit log, are told of each. */
  private catchUp(commits: readonly Commit[], revision: number): boolean {
    const known = this.state.revision
    if (known === revision) return true
    const missed = commits.filter((commit) => commit.revision > known)
    const isUnbroken = missed.every((commit, n) => commit.revision === known + 1 + n)
    if (known === 0 || missed.length !== revision - known || !isUnbroken) return false
    for (const commit of missed) this.state.apply(commit)
    return true
  }

  private async readPrefix(prefix: string, revision: string): Promise<KeyValue[]> {
    const all: KeyValue[] = []
    for (let from = prefix; ; ) {
      const { found, more } = await this.client.range(prefix, from, revision, pageSize)
      all.push(...found)
      if (!more) return all
      from = `${all.at(-1)?.key}\0`
    }
  }

  private follow(): void {
    const next = String(BigInt(this.readRevision) + 1n)
    this.endWatch = this.client.watch(`${this.prefix}commits/`, next, {
      puts: (puts) => {
        this.setBehind(null)
        // Not etcd's present revision, which may be ahead of what has been sent.
        this.readRevision = puts.at(-1)?.modRevision ?? this.readRevision
        for (const { value } of puts) this.learn(JSON.parse(value) as Commit)
      },
      end: (end) => this.followAgain(end === 'compacted'),
    })
  }

  private learn(commit: Commit): void {
    if (commit.revision <= this.state.revision) return
    if (commit.revision === this.state.revision + 1) this.state.apply(commit)
    else this.followAgain(true)
  }

  private followAgain(readAll: boolean): void {
    if (this.closed) return
    this.endWatch()
    this.setBehind('the watch on etcd has ended; it is begun again')
    this.retry = setTimeout(() => {
      if (!readAll) this.follow()
      else this.sync().catch(() => this.followAgain(true))
    }, retryMs)
    this.retry.unref()
  }

  private setBehind(behind: string | null): void {
    if (this.behind === behind) return
    this.behind = behind
    this.announceStatus()
  }

  private announceStatus(): void {
    this.statusListeners.tell()
  }

  private commitKey(revision: number): string {
    return `${this.prefix}commits/${String(revision).padStart(16, '0')}`
  }

  private notLeader(): WeftError {
    if (this.election.trouble !== null) return this.unreachable()
    const known = this.election.leader()
    const leader = known?.id === this.options.id ? null : known
    const who = leader === null ? 'nobody leads at the moment' : `${leader.id} leads`
    return new WeftError('WEFT_STORE_NOT_LEADER', `${this.options.id} may not write: ${who}`, {
      ...(leader !== null && { path: leader.address }),
      hint: leader === null ? 'try again in some seconds' : `send changes to ${leader.address}`,
    })
  }

  private unreachable(): WeftError {
    return new WeftError('WEFT_STORE_UNREACHABLE', this.election.trouble ?? 'etcd does not answer', {
      hint: 'what was read before still serves; changes are refused until it answers',
    })
  }
}

/** The number of the last commit is another one than we know. */
class Overtaken extends Error {}

function unconfirmed(cause: WeftError): WeftError {
  return new WeftError('WEFT_STORE_UNREACHABLE', cause.message, {
    hint: 'whether this change was made is not known: look before you make it again',
    cause,
  })
}

function tooLarge(changes: number, bytes: number): WeftError {
  const message = `${changes} changes with ${bytes} bytes in one commit; etcd takes ${maxOperations - 1} and ${maxBytes}`
  return new WeftError('WEFT_STORE_TOO_LARGE', message, { hint: 'apply it in several parts' })
}
