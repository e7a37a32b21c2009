/**
 * Looks at workloads from outside, for those that cannot or need not speak for themselves (as Airbnb's Nerve does).
 *
 * Invariants: one look at a time per workload, bounded by its timeout; a verdict changes after as many equal looks in a
 * row as its threshold says; only the leader looks; a workload that has gone is not looked at again.
 */
import { get } from 'node:http'
import { connect } from 'node:net'
import { formatKey, type Key } from '../store/key.js'
import type { Entry, Store } from '../store/store.js'
import { type Check, type Kept, keptOf, workloadKind } from './registration.js'
import { isLeading, type Registry } from './registry.js'

export interface HealthCheckerOptions {
  store: Store
  registry: Registry
  /** One look: whether the workload answered well. */
  probe?: (target: Kept, check: Check) => Promise<boolean>
  /** 0 to 1, spreads the first looks. */
  random: () => number
}

interface Watched {
  key: Key
  epoch: number
  /** Equal looks in a row that speak against the verdict in force. */
  against: number
  timer: NodeJS.Timeout
}

export class HealthChecker {
  private readonly options: HealthCheckerOptions
  private readonly probe: (target: Kept, check: Check) => Promise<boolean>
  private readonly watched = new Map<string, Watched>()
  private readonly ends: (() => void)[]

  constructor(options: HealthCheckerOptions) {
    this.options = options
    this.probe = options.probe ?? probeWorkload
    const { store } = options
    this.ends = [
      store.watch(store.revision() + 1, (event) => {
        if (event.type === 'relist') this.relist()
        else for (const { key, after } of event.applied.changes) this.follow(key, after)
      }),
      store.onStatus(() => this.relist()),
    ]
    this.relist()
  }

  close(): void {
    for (const end of this.ends) end()
    for (const { timer } of this.watched.values()) clearTimeout(timer)
    this.watched.clear()
  }

  private relist(): void {
    const entries = isLeading(this.options.store) ? this.options.store.list({ kind: workloadKind }) : []
    const names = new Set(entries.map(({ key }) => formatKey(key)))
    for (const [name, { key }] of this.watched) if (!names.has(name)) this.follow(key, null)
    for (const entry of entries) this.follow(entry.key, entry)
  }

  /** Begins with a new epoch, ends with the workload. */
  private follow(key: Key, entry: Entry | null): void {
    if (key.kind !== workloadKind) return
    const name = formatKey(key)
    const known = this.watched.get(name)
    const kept = entry === null || !isLeading(this.options.store) ? null : keptOf(entry)
    if (known !== undefined && kept?.epoch === known.epoch) return
    if (known !== undefined) clearTimeout(known.timer)
    this.watched.delete(name)
    if (kept === null || kept.check === null) return
    const first = setTimeout(() => this.look(name), this.options.random() * Math.min(1_000, kept.check.interval))
    first.unref()
    this.watched.set(name, { key, epoch: kept.epoch, against: 0, timer: first })
  }

  private async look(name: string): Promise<void> {
    const watched = this.watched.get(name)
    const entry = watched && this.options.store.get(watched.key)
    if (watched === undefined || entry === null || entry === undefined) return
    const kept = keptOf(entry)
    const { check } = kept
    if (check === null) return
    const found = (await this.probe(kept, check)) ? 'healthy' : 'unhealthy'
    if (this.watched.get(name) !== watched) return
    watched.against = found === kept.checked ? 0 : watched.against + 1
    if (watched.against >= (found === 'healthy' ? check.healthyThreshold : check.unhealthyThreshold)) {
      watched.against = 0
      // The store may be unwritable for a while; the next looks decide again.
      await this.options.registry.checked(watched.key, watched.epoch, found).catch(() => {})
    }
    if (this.watched.get(name) !== watched) return
    watched.timer = setTimeout(() => this.look(name), check.interval)
    watched.timer.unref()
  }
}

function probeWorkload({ address, port }: Kept, { http, tcp, timeout }: Check): Promise<boolean> {
  return http === undefined
    ? probeTcp(address, tcp?.port ?? port, timeout)
    : probeHttp(address, http.port ?? port, http.path, timeout)
}

function probeTcp(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (good: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(good)
    }
    const timer = setTimeout(() => end(false), timeoutMs)
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}

function probeHttp(host: string, port: number, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (good: boolean) => {
      clearTimeout(timer)
      request.destroy()
      resolve(good)
    }
    const request = get(
      { host, port, path, agent: false, headers: { 'user-agent': 'weft-health-check' } },
      (answer) => {
        const status = answer.statusCode ?? 0
        end(status >= 200 && status < 400)
      },
    )
    const timer = setTimeout(() => end(false), timeoutMs)
    request.once('error', () => end(false))
  })
}
