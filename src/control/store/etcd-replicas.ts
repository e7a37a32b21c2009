/**
 * What replicas tell each other, on etcd: keys `replicas/ID/PART` under a lease of the one that says it, read by all.
 *
 * Invariants: no key outlives its replica by more than the lease; a lease that was lost is replaced and everything said
 * again under the new one; nothing here waits for etcd, and nothing that fails here keeps the store from working.
 */
import type { EtcdClient, Operation } from './etcd-client.js'
import { Listeners } from './listeners.js'
import type { Replicas } from './replicas.js'
import type { Value } from './store.js'

export interface EtcdReplicasOptions {
  client: EtcdClient
  prefix: string
  id: string
  /** Seconds after which a silent replica is forgotten. */
  ttlS: number
  /** Told what a listener threw. */
  warn: (message: string) => void
}

const pageSize = 200
const maxOperations = 100
const maxBytes = 1_000_000
const retryMs = 200

export class EtcdReplicas implements Replicas {
  readonly id: string
  private readonly options: EtcdReplicasOptions
  private readonly said = new Map<string, string>()
  /** Parts that etcd does not have as they are said. */
  private readonly unsaid = new Set<string>()
  private readonly heard = new Map<string, Map<string, Value>>()
  private readonly listeners: Listeners<void>
  private lease: string | null = null
  private timer: NodeJS.Timeout | null = null
  private retry: NodeJS.Timeout | null = null
  private saying: Promise<void> | null = null
  private endWatch: () => void = () => {}
  private closed = false

  constructor(options: EtcdReplicasOptions) {
    this.options = options
    this.id = options.id
    this.listeners = new Listeners(options.warn)
  }

  start(): void {
    const round = () => {
      this.timer = setTimeout(() => void this.say(true).finally(round), (this.options.ttlS * 1_000) / 3)
      this.timer.unref()
      if (this.closed) clearTimeout(this.timer)
    }
    round()
    this.listen()
  }

  tell(part: string, value: Value | null): void {
    const text = value === null ? undefined : JSON.stringify(value)
    if (this.said.get(part) === text) return
    if (text === undefined) this.said.delete(part)
    else this.said.set(part, text)
    this.unsaid.add(part)
    void this.say(false)
  }

  told(): ReadonlyMap<string, ReadonlyMap<string, Value>> {
    return this.heard
  }

  onTold(listener: () => void): () => void {
    return this.listeners.add(listener)
  }

  async close(): Promise<void> {
    this.closed = true
    for (const timer of [this.timer, this.retry]) if (timer !== null) clearTimeout(timer)
    this.endWatch()
    await this.saying
    // Unreachable: it runs out by itself.
    if (this.lease !== null) await this.options.client.revokeLease(this.lease).catch(() => {})
  }

  /** One writer at a time; what cannot be said now is said in the next round. */
  private say(renews: boolean): Promise<void> {
    if (this.closed) return Promise.resolve()
    this.saying ??= this.sayAll(renews).then(
      () => {
        this.saying = null
        if (this.unsaid.size > 0) void this.say(false)
      },
      () => {
        this.saying = null // the store's status says that etcd does not answer
      },
    )
    return this.saying
  }

  private async sayAll(renews: boolean): Promise<void> {
    const { client, ttlS } = this.options
    if (renews && this.lease !== null && !(await client.keepAlive(this.lease))) this.lease = null
    if (this.lease === null) {
      if (this.said.size === 0) return this.unsaid.clear()
      this.lease = await client.grantLease(ttlS)
      for (const part of this.said.keys()) this.unsaid.add(part)
    }
    while (this.unsaid.size > 0 && !this.closed) {
      const { parts, operations } = this.nextGroup(this.lease)
      for (const part of parts) this.unsaid.delete(part)
      try {
        await client.txn([], operations)
      } catch (error) {
        for (const part of parts) this.unsaid.add(part)
        // The lease may be what is wrong: begin with a new one.
        this.lease = null
        throw error
      }
    }
  }

  private nextGroup(lease: string): { parts: string[]; operations: Operation[] } {
    const parts: string[] = []
    const operations: Operation[] = []
    let bytes = 0
    for (const part of this.unsaid) {
      const key = this.keyOf(part)
      const value = this.said.get(part)
      bytes += value?.length ?? 0
      if (parts.length > 0 && (bytes > maxBytes || parts.length >= maxOperations)) break
      parts.push(part)
      operations.push(value === undefined ? { delete: key } : { put: key, value, lease })
    }
    return { parts, operations }
  }

  /** Reads what there is and follows it from there, again after each end. */
  private listen(): void {
    const again = () => {
      if (this.closed) return
      this.endWatch()
      this.retry = setTimeout(() => this.listen(), retryMs)
      this.retry.unref()
    }
    this.readAll()
      .then((revision) => {
        if (this.closed) return
        this.endWatch = this.options.client.watch(this.prefix, String(BigInt(revision) + 1n), {
          puts: (puts) => {
            for (const { key, value } of puts) this.hear(key, value)
            if (puts.length > 0) this.announce()
          },
          deletes: (keys) => {
            for (const key of keys) this.hear(key, null)
            this.announce()
          },
          end: again,
        })
      })
      .catch(again)
  }

  private async readAll(): Promise<string> {
    const { client } = this.options
    const first = await client.range(this.prefix, this.prefix, null, pageSize)
    const found = [...first.found]
    for (let page = first; page.more; ) {
      page = await client.range(this.prefix, `${found.at(-1)?.key}\0`, first.revision, pageSize)
      found.push(...page.found)
    }
    this.heard.clear()
    for (const { key, value } of found) this.hear(key, value)
    this.announce()
    return first.revision
  }

  private hear(key: string, text: string | null): void {
    const [encoded = '', part = ''] = key.slice(this.prefix.length).split('/')
    const id = read(() => decodeURIComponent(encoded))
    const value = text === null ? null : read(() => JSON.parse(text) as Value)
    if (id === null || id === this.id) return
    const parts = this.heard.get(id) ?? new Map<string, Value>()
    if (value === null) parts.delete(part)
    else parts.set(part, value)
    if (parts.size === 0) this.heard.delete(id)
    else this.heard.set(id, parts)
  }

  private announce(): void {
    this.listeners.tell()
  }

  private get prefix(): string {
    return `${this.options.prefix}replicas/`
  }

  private keyOf(part: string): string {
    return `${this.prefix}${encodeURIComponent(this.id)}/${part}`
  }
}

/** What somebody else wrote under our prefix is as good as not written. */
function read<Read>(parse: () => Read): Read | null {
  try {
    return parse()
  } catch {
    return null
  }
}
