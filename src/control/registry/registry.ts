/**
 * The registry: workloads register, are heard of, and go.
 *
 * What changes the mesh (a registration, a change of health, an eviction) is a commit of the store, so that every
 * replica and every restart knows it; that a heartbeat came is not, or each would cost a flush.
 *
 * Invariants: news of an older epoch is refused, so a late word of a former life changes nothing; only the leader
 * evicts; whoever begins to lead, or restarts, gives every workload a full period to be heard of.
 */
import { isDeepStrictEqual } from 'node:util'
import { WeftError } from '../../errors.js'
import type { WorkloadHealth } from '../state/mesh-source.js'
import { formatKey, type Key } from '../store/key.js'
import type { Applied, Batch, Change, Entry, Store, WatchEvent } from '../store/store.js'
import { decideEviction, type Lease } from './eviction.js'
import { type Kept, keep, keptOf, type Registration, workloadKey, workloadKind } from './registration.js'

export interface RegistryOptions {
  store: Store
  /** Monotonic. */
  nowMs: () => number
  /** Told in sentences when eviction is held back or set free, and what went. */
  say: (message: string) => void
}

export interface RegistryStatus {
  services: number
  workloads: number
  stale: number
  /** Eviction is held back because too many are silent at once. */
  held: { silent: number; allowed: number } | null
}

/** All that a source knows of a service. */
export interface SourceWorkloads {
  source: string
  service: string
  namespace: string
  workloads: readonly Registration[]
}

/** A store takes a bounded number of changes at once; what is over comes with the next batch. */
const maxChanges = 100

export interface WorkloadId {
  namespace: string
  service: string
  id: string
}

export class Registry {
  private readonly options: RegistryOptions
  private readonly leases = new Map<string, Lease & { ttlMs: number }>()
  private readonly endWatch: () => void
  private readonly endStatus: () => void
  private leading: boolean
  private held: RegistryStatus['held'] = null

  constructor(options: RegistryOptions) {
    this.options = options
    const { store } = options
    this.leading = isLeading(store)
    this.relist()
    this.endWatch = store.watch(store.revision() + 1, (event) => this.learn(event))
    this.endStatus = store.onStatus(() => {
      const before = this.leading
      this.leading = isLeading(store)
      if (!before && this.leading) this.relist()
    })
  }

  /** Registers, or takes the place of what was registered under the same id; `author` for the audit log. */
  async register(written: Registration, callerAddress: string, author: string): Promise<Kept> {
    const { store } = this.options
    demandLeading(store)
    for (;;) {
      const draft = keep(written, callerAddress, 0)
      const key = workloadKey(draft)
      const before = store.get(key)
      const epoch = Math.max(store.revision(), before === null ? 0 : keptOf(before).epoch) + 1
      const kept: Kept = { ...draft, epoch }
      const change: Change = { key, value: { ...kept }, expect: before?.version ?? 0 }
      if (await this.tryCommit({ author, reason: 'register', changes: [change] })) return kept
    }
  }

  /** Answers what stands in the registry now. */
  async heartbeat(which: WorkloadId, epoch: number | undefined, health: WorkloadHealth | undefined, author: string) {
    demandLeading(this.options.store)
    for (;;) {
      const entry = this.find(which, epoch)
      const kept = keptOf(entry)
      this.renew(entry)
      const next: Kept = { ...kept, stale: false, reported: health ?? kept.reported }
      if (next.stale === kept.stale && next.reported === kept.reported) return kept
      const change: Change = { key: entry.key, value: { ...next }, expect: entry.version }
      const reason = next.reported === kept.reported ? 'heard of again' : `says ${next.reported}`
      if (await this.tryCommit({ author, reason, changes: [change] })) return next
    }
  }

  async deregister(which: WorkloadId, epoch: number | undefined, author: string): Promise<void> {
    demandLeading(this.options.store)
    for (;;) {
      const { key, version } = this.find(which, epoch)
      if (await this.tryCommit({ author, reason: 'deregister', changes: [{ key, value: null, expect: version }] }))
        return
    }
  }

  /** Makes the workloads of a source those that it tells. What was registered over the API is left alone. */
  async sync({ source, service, namespace, workloads }: SourceWorkloads): Promise<void> {
    const { store } = this.options
    for (;;) {
      const changes = this.differences({ source, service, namespace, workloads }).slice(0, maxChanges)
      if (changes.length === 0) return
      await this.tryCommit({ author: source, reason: 'source', changes })
      if (!isLeading(store)) return
    }
  }

  private differences({ source, service, namespace, workloads }: SourceWorkloads): Change[] {
    const { store } = this.options
    const wanted = new Map(workloads.map((one) => [`${one.id ?? `${one.address}:${one.port}`}`, one]))
    const there = store.list({ kind: workloadKind, namespace }).filter((entry) => keptOf(entry).service === service)
    const gone = there.filter((entry) => keptOf(entry).source === source && !wanted.has(keptOf(entry).id))
    const put = [...wanted.values()].flatMap((one): Change[] => {
      const draft = { ...keep(one, '', 0), source }
      const entry = store.get(workloadKey(draft))
      const kept = entry === null ? null : keptOf(entry)
      if (kept !== null && kept.source !== source) return []
      const same = kept !== null && isDeepStrictEqual({ ...kept, epoch: 0, checked: draft.checked }, draft)
      if (same) return []
      const epoch = Math.max(store.revision(), kept?.epoch ?? 0) + 1
      return [{ key: workloadKey(draft), value: { ...draft, epoch }, expect: entry?.version ?? 0 }]
    })
    return [...put, ...gone.map(({ key, version }) => ({ key, value: null, expect: version }))]
  }

  /** What a look from outside has found; ignored for a workload that has gone or registered anew. */
  async checked(key: Key, epoch: number, checked: Kept['checked']): Promise<void> {
    const entry = this.options.store.get(key)
    if (entry === null || keptOf(entry).epoch !== epoch || keptOf(entry).checked === checked) return
    const change: Change = { key, value: { ...keptOf(entry), checked }, expect: entry.version }
    // A conflict means that it has changed: the next look decides again.
    await this.tryCommit({ author: 'health check', reason: `found ${checked}`, changes: [change] })
  }

  /** Evicts who has been silent too long; to be called about once a second. */
  async sweep(): Promise<void> {
    if (!this.leading) return
    const { nowMs, say } = this.options
    const { evicted, stale, held } = decideEviction([...this.leases.values()], nowMs())
    if (held !== null && this.held === null) {
      say(`${held.silent} workloads are silent at once, more than ${held.allowed}: none is evicted`)
    } else if (held === null && this.held !== null) say('eviction goes on')
    this.held = held
    const gone = evicted.flatMap((name) => this.entryOf(name))
    const marked = stale.flatMap((name) => this.entryOf(name)).filter((entry) => !keptOf(entry).stale)
    const changes: Change[] = [
      ...gone.map(({ key, version }) => ({ key, value: null, expect: version })),
      ...marked.map((entry) => ({ key: entry.key, value: { ...keptOf(entry), stale: true }, expect: entry.version })),
    ]
    const batch = changes.slice(0, maxChanges)
    if (batch.length === 0) return
    if (!(await this.tryCommit({ author: 'registry', reason: 'missed heartbeats', changes: batch }))) return
    for (const { key, value } of batch)
      say(`${key.namespace}/${key.name} is silent: ${value === null ? 'evicted' : 'kept, marked stale'}`)
  }

  status(): RegistryStatus {
    const kept = this.options.store.list({ kind: workloadKind }).map(keptOf)
    const services = new Set(kept.map(({ namespace, service }) => `${namespace}/${service}`))
    return {
      services: services.size,
      workloads: kept.length,
      stale: kept.filter(({ stale }) => stale).length,
      held: this.held,
    }
  }

  close(): void {
    this.endWatch()
    this.endStatus()
  }

  /** False when somebody else was faster: look again and decide again. */
  private async tryCommit(batch: Batch): Promise<boolean> {
    try {
      await this.options.store.commit(batch)
      return true
    } catch (error) {
      if (error instanceof WeftError && error.code === 'WEFT_STORE_CONFLICT') return false
      throw error
    }
  }

  private find(which: WorkloadId, epoch: number | undefined): Entry {
    const entry = this.options.store.get(workloadKey(which))
    const name = `${which.namespace}/${which.service}:${which.id}`
    if (entry === null) {
      throw new WeftError('WEFT_REGISTRY_UNKNOWN', `${name} is not registered`, { hint: 'register it again' })
    }
    const current = keptOf(entry).epoch
    if (epoch !== undefined && epoch !== current) {
      throw new WeftError('WEFT_REGISTRY_EPOCH', `${name} is registered with epoch ${current}, not ${epoch}`, {
        hint: 'another process has registered under the same id since; give each an id of its own',
      })
    }
    return entry
  }

  private entryOf(name: string): Entry[] {
    const [kind = '', namespace = '', key = ''] = name.split('/')
    const entry = this.options.store.get({ kind, namespace, name: key })
    return entry === null ? [] : [entry]
  }

  private learn(event: WatchEvent): void {
    if (event.type === 'relist') this.relist()
    else for (const change of event.applied.changes) this.learnChange(change)
  }

  private learnChange({ key, before, after }: Applied['changes'][number]): void {
    if (key.kind !== workloadKind) return
    if (after === null) this.leases.delete(formatKey(key))
    else if (before === null || keptOf(before).epoch !== keptOf(after).epoch) this.renew(after)
  }

  private relist(): void {
    this.leases.clear()
    for (const entry of this.options.store.list({ kind: workloadKind })) this.renew(entry)
  }

  private renew(entry: Entry): void {
    const { namespace, service, ttlMs, source } = keptOf(entry)
    const key = formatKey(entry.key)
    if (source !== null) {
      this.leases.delete(key)
      return
    }
    this.leases.set(key, { key, service: `${namespace}/${service}`, ttlMs, expiresMs: this.options.nowMs() + ttlMs })
  }
}

/** Whether this replica does the work that only one may do. */
export function isLeading(store: Store): boolean {
  const { leader, type } = store.status()
  return type === 'embedded' || leader?.isSelf === true
}

/** A heartbeat that another replica's memory takes would be none: the leader must hear it. */
function demandLeading(store: Store): void {
  if (isLeading(store)) return
  const { reason, leader } = store.status()
  throw new WeftError('WEFT_STORE_NOT_LEADER', `the registry is not kept here: ${reason ?? 'no replica leads'}`, {
    ...(leader !== null && { path: leader.address }),
    hint: leader === null ? 'try again in some seconds' : `ask ${leader.address}`,
  })
}
