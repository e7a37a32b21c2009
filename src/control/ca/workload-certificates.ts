/**
 * Certificates of the data planes that are given theirs by SDS: made when one asks first, renewed at half of their life.
 *
 * Invariants: none is given before ledger and audit log have it on the disk; one that is good stays until its successor is there, whatever keeps that from coming; who is not connected
 * any more is not renewed; nobody waits for all others: renewals spread over a tenth of the life.
 */
import { WeftError } from '../../errors.js'
import type { Certificate, WorkloadName } from '../certificates/certificate-source.js'
import { iso } from './chain.js'
import type { Granted, Issuer } from './issuer.js'
import type { RevocationList } from './revocation-list.js'
import type { TrustSet } from './trust-set.js'

export interface WorkloadCertificatesOptions {
  issuer: Issuer
  trust: TrustSet
  revocations: RevocationList
  /** Wall clock. */
  nowMs: () => number
  random: () => number
  say: { warn(message: string): void; error(message: string): void }
}

interface Held {
  workload: WorkloadName
  granted: Granted
  certificate: Certificate
  issuedMs: number
  renewMs: number
  /** Asked for since it was made. */
  used: boolean
  /** How loudly it was said that it cannot be renewed. */
  alarm: 'none' | 'warned' | 'alarmed'
}

/** `semantics`: renew at 50 % ± 5 %, warn at 75 %, alarm at 90 %. */
const half = 0.5
const jitter = 0.05
const warnAt = 0.75
const alarmAt = 0.9
/** So many share a flush, and the loop goes round after them. */
const slice = 50

export class WorkloadCertificates {
  private readonly options: WorkloadCertificatesOptions
  private readonly held = new Map<string, Held>()
  /** Asked for and not on the disk yet. */
  private readonly coming = new Map<string, Promise<void>>()
  private readonly refused = new Map<string, string>()
  private readonly listeners = new Set<() => void>()
  private readonly ends: (() => void)[]
  private renewing = false
  /** Something changed while others were renewed: it is looked at after them. */
  private missed = false

  constructor(options: WorkloadCertificatesOptions) {
    this.options = options
    const { trust, revocations } = options
    const timer = setInterval(() => void this.renewDue(), 1_000)
    this.ends = [
      () => clearInterval(timer),
      trust.onChange(() => void this.follow()),
      revocations.onChange(() => void this.follow()),
    ]
  }

  /** Null when it may have none, or none yet: then it is told when there is one. */
  identity(workload: WorkloadName): Certificate | null {
    const key = keyOf(workload)
    const held = this.held.get(key)
    if (held !== undefined && this.isGood(held)) {
      held.used = true
      return held.certificate
    }
    void this.prepare(workload)?.then(() => {
      if (this.held.has(key)) this.tell()
    })
    return null
  }

  /** Resolves when there is one or it is known that there is none; null: there is. */
  prepare(workload: WorkloadName): Promise<void> | null {
    const key = keyOf(workload)
    const held = this.held.get(key)
    if (held !== undefined && this.isGood(held)) return null
    this.held.delete(key)
    const coming = this.coming.get(key) ?? this.make(key, workload).finally(() => this.coming.delete(key))
    this.coming.set(key, coming)
    return coming
  }

  count(): number {
    return this.held.size
  }

  /** Calls back when certificates are others than before; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  close(): void {
    for (const end of this.ends) end()
  }

  /** Renews what is due and tells once. */
  async renewDue(): Promise<void> {
    const now = this.options.nowMs()
    await this.renew([...this.held].filter(([, { renewMs }]) => renewMs <= now))
  }

  private isGood({ granted }: Held): boolean {
    const { revocations, nowMs } = this.options
    return granted.notAfterMs > nowMs() && !revocations.isRevoked(granted.serial)
  }

  private async make(key: string, workload: WorkloadName): Promise<void> {
    const { say } = this.options
    try {
      this.held.set(key, await this.issue(workload))
      this.refused.delete(key)
    } catch (error) {
      const { message } = error as Error
      if (this.refused.get(key) !== message) say.warn(`no certificate for ${key}: ${message}`)
      this.refused.set(key, message)
    }
  }

  private async issue(workload: WorkloadName): Promise<Held> {
    const { granted, written } = this.options.issuer.issue(workload, { by: 'data plane', lastsMs: null })
    await written
    return this.holding(workload, granted)
  }

  private holding(workload: WorkloadName, granted: Granted): Held {
    const issuedMs = this.options.nowMs()
    const share = half + jitter * (2 * this.options.random() - 1)
    return {
      ...{ workload, granted, issuedMs, used: true, alarm: 'none' },
      certificate: { chain: granted.chain, key: granted.key ?? '' },
      renewMs: issuedMs + (granted.notAfterMs - issuedMs) * share,
    }
  }

  /** Another authority issues, or something was taken back. */
  private async follow(): Promise<void> {
    const issuing = this.options.trust.inState('issuing')
    const stale = [...this.held].filter(([, held]) => {
      return !this.isGood(held) || (issuing?.signer && held.granted.authority !== issuing.id)
    })
    for (const [key, held] of stale) if (!this.isGood(held)) this.held.delete(key)
    this.tell()
    await this.renew(stale.filter(([key]) => this.held.has(key)))
    // An authority that came may serve those that got nothing.
    if (this.refused.size > 0) this.tell()
  }

  private async renew(due: readonly (readonly [string, Held])[]): Promise<void> {
    if (due.length === 0) return
    if (this.renewing) {
      this.missed = true
      return
    }
    this.renewing = true
    try {
      let renewed = 0
      for (let at = 0; at < due.length; at += slice) {
        if (at > 0) await new Promise((resolve) => setImmediate(resolve))
        const done = due.slice(at, at + slice).map(([key, held]) => this.renewOne(key, held))
        renewed += (await Promise.all(done)).filter(Boolean).length
      }
      if (renewed > 0) this.tell()
    } finally {
      this.renewing = false
    }
    if (!this.missed) return
    this.missed = false
    await this.follow()
  }

  /** Returns whether there is another. */
  private async renewOne(key: string, held: Held): Promise<boolean> {
    if (this.held.get(key) !== held) return false
    if (!held.used) {
      // Nobody has asked since the last one: it has gone.
      this.held.delete(key)
      return false
    }
    try {
      const next = await this.issue(held.workload)
      if (this.held.get(key) !== held) return false
      this.held.set(key, { ...next, used: false })
      return true
    } catch (error) {
      if (!(error instanceof WeftError)) throw error
      this.complain(key, held, error.message)
      return false
    }
  }

  private complain(key: string, held: Held, why: string): void {
    const { nowMs, say } = this.options
    const { notAfterMs } = held.granted
    const spent = (nowMs() - held.issuedMs) / (notAfterMs - held.issuedMs)
    const text = `the certificate of ${key} cannot be renewed and ends at ${iso(notAfterMs)}: ${why}`
    if (spent >= alarmAt && held.alarm !== 'alarmed') {
      held.alarm = 'alarmed'
      say.error(text)
    } else if (spent >= warnAt && held.alarm === 'none') {
      held.alarm = 'warned'
      say.warn(text)
    }
    held.renewMs = nowMs() + Math.min(30_000, Math.max(1_000, (notAfterMs - nowMs()) / 10))
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener()
  }
}

function keyOf({ namespace, account }: WorkloadName): string {
  return `${namespace}/${account}`
}
