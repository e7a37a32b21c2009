/**
 * Certificates of the data planes that are given theirs by SDS: made when one asks first, renewed at half of their life.
 *
 * Invariants: one that is good stays until its successor is there, whatever keeps that from coming; who is not connected
 * any more is not renewed; nobody waits for all others: renewals spread over a tenth of the life.
 */
import { WeftError } from '../../errors.js'
import type { Certificate, WorkloadName } from '../certificate-source.js'
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
/** The loop goes round after so many. */
const slice = 50

export class WorkloadCertificates {
  private readonly options: WorkloadCertificatesOptions
  private readonly held = new Map<string, Held>()
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

  /** Null when it may have none; why is told by `refusalOf`. */
  identity(workload: WorkloadName): Certificate | null {
    const key = `${workload.namespace}/${workload.account}`
    const held = this.held.get(key)
    if (held !== undefined && this.isGood(held)) {
      held.used = true
      return held.certificate
    }
    this.held.delete(key)
    return this.make(key, workload)
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

  private make(key: string, workload: WorkloadName): Certificate | null {
    const { issuer, say } = this.options
    try {
      const held = this.holding(workload, issuer.issue(workload, { by: 'data plane', lastsMs: null }))
      this.held.set(key, held)
      this.refused.delete(key)
      return held.certificate
    } catch (error) {
      if (!(error instanceof WeftError)) throw error
      if (this.refused.get(key) !== error.message) say.warn(`no certificate for ${key}: ${error.message}`)
      this.refused.set(key, error.message)
      return null
    }
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
      for (const [index, [key, held]] of due.entries()) {
        if (index % slice === slice - 1) await new Promise((resolve) => setImmediate(resolve))
        if (this.held.get(key) !== held) continue
        // Nobody has asked since the last one: it has gone.
        if (!held.used) this.held.delete(key)
        else if (this.renewOne(key, held)) renewed += 1
      }
      if (renewed > 0) this.tell()
    } finally {
      this.renewing = false
    }
    if (!this.missed) return
    this.missed = false
    await this.follow()
  }

  private renewOne(key: string, held: Held): boolean {
    try {
      const next = this.holding(
        held.workload,
        this.options.issuer.issue(held.workload, { by: 'data plane', lastsMs: null }),
      )
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
