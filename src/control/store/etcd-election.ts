/**
 * Who leads: one key under a lease, created by whoever finds it absent. Its creation revision fences every write.
 *
 * Invariants: the leader believes in itself only until the lease that it last renewed can have run out, counted from
 * before the renewal was sent; losing the key and not reaching etcd both end the belief; a clean end frees the key.
 */
import { WeftError } from '../../errors.js'
import type { EtcdClient } from './etcd-client.js'

export interface ElectionOptions {
  client: EtcdClient
  /** The election's key. */
  key: string
  id: string
  /** Where this replica serves its API; told to clients of the others. */
  address: string
  ttlS: number
  /** Monotonic. */
  nowMs: () => number
  onChange: () => void
}

export interface Leader {
  id: string
  address: string
  isSelf: boolean
}

export class Election {
  private readonly options: ElectionOptions
  private lease: string | null = null
  private leadUntilMs = 0
  /** The key's creation revision while it is ours. */
  private ours: string | null = null
  private seen: { id: string; address: string } | null = null
  private shown = ''
  private timer: NodeJS.Timeout | null = null
  private running: Promise<void> | null = null
  private closed = false
  /** Why etcd could not be asked last time. */
  trouble: string | null = null

  constructor(options: ElectionOptions) {
    this.options = options
  }

  /** Takes part from now on; resolves after the first round. */
  async start(): Promise<void> {
    await this.round()
    const again = () => {
      this.timer = setTimeout(
        () => {
          this.running = this.round().finally(() => {
            if (!this.closed) again()
          })
        },
        (this.options.ttlS * 1_000) / 6,
      )
      this.timer.unref()
    }
    again()
  }

  leader(): Leader | null {
    return this.seen === null ? null : { ...this.seen, isSelf: this.fence() !== null }
  }

  /** The creation revision that every write must find, or null when this replica does not lead. */
  fence(): string | null {
    return this.ours !== null && this.options.nowMs() < this.leadUntilMs ? this.ours : null
  }

  /** One round out of turn: who leads is known anew when it resolves. */
  refresh(): Promise<void> {
    this.running ??= this.round().finally(() => {
      this.running = null
    })
    return this.running
  }

  /** A write has found the fence broken. */
  deposed(): void {
    this.ours = null
    this.show()
  }

  async close(): Promise<void> {
    this.closed = true
    if (this.timer !== null) clearTimeout(this.timer)
    await this.running
    const { lease } = this
    this.lease = null
    this.ours = null
    // Unreachable: it runs out by itself.
    if (lease !== null) await this.options.client.revokeLease(lease).catch(() => {})
  }

  private async round(): Promise<void> {
    try {
      await this.renew()
      await this.campaign()
      this.trouble = null
    } catch (error) {
      if (!(error instanceof WeftError)) throw error
      this.trouble = error.message
    }
    this.show()
  }

  private async renew(): Promise<void> {
    const { client, ttlS, nowMs } = this.options
    const sentMs = nowMs()
    if (this.lease !== null && !(await client.keepAlive(this.lease))) this.lease = null
    this.lease ??= await client.grantLease(ttlS)
    this.leadUntilMs = sentMs + ttlS * 1_000
  }

  /** Creates the key when it is absent, and learns whose it is. */
  private async campaign(): Promise<void> {
    const { client, key, id, address } = this.options
    if (this.lease === null) return
    const mine = JSON.stringify({ id, address })
    const create = { put: key, value: mine, lease: this.lease }
    const { found } = await client.txn([{ key, createRevision: '0' }], [create, { get: key }], [{ get: key }])
    const holder = found[0]
    if (holder === null || holder === undefined) return
    this.seen = JSON.parse(holder.value) as { id: string; address: string }
    this.ours = this.seen.id === id ? holder.createRevision : null
  }

  private show(): void {
    const shown = JSON.stringify([this.leader(), this.trouble])
    if (shown === this.shown) return
    this.shown = shown
    this.options.onChange()
  }
}
