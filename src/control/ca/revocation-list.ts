/**
 * What was taken back: certificates by their serial number, and identities that get none any more. The store keeps both,
 * so that every replica and every restart knows them. Which certificates an identity has is known to the replica that
 * issued them: each tells the leader, which takes them back.
 *
 * Data planes are told as certificate revocation lists, one of each authority: once there is a list, whoever verifies
 * asks for one of every issuer, so all of them get one.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import { WeftError } from '../../errors.js'
import type { Key } from '../store/key.js'
import type { Change, Store } from '../store/store.js'
import { describeLink } from './chain.js'
import type { Ledger } from './ledger.js'
import { signingCertificate, type TrustSet } from './trust-set.js'

export interface Revocation {
  /** Null where an identity is meant as a whole. */
  serial: string | null
  identity: string | null
  reason: string
  by: string
  atMs: number
  /** When the certificate would have ended by itself; null: it does not end. */
  untilMs: number | null
}

/** The store's own kind. */
export const revocationKind = 'revocation'

export interface RevocationListOptions {
  store: Store
  trust: TrustSet
  ledger: Ledger
  /** Wall clock. */
  nowMs: () => number
  clockSkewMs: number
}

/** What a replica tells of the identities that are revoked: their certificates from here that nobody has taken back. */
const report = z.object({
  issued: z.array(z.object({ serial: z.string(), identity: z.string(), untilMs: z.number() })),
})
const reportPart = 'banned'
type Report = z.output<typeof report>

/** A store takes a bounded number of changes at once. */
const maxChanges = 100

export class RevocationList {
  private readonly options: RevocationListOptions
  private readonly listeners = new Set<() => void>()
  private readonly ends: (() => void)[]
  private serials = new Map<string, Revocation>()
  private banned = new Map<string, Revocation>()
  private signed: string | null = null

  constructor(options: RevocationListOptions) {
    this.options = options
    const { store, trust } = options
    this.learn()
    const endWatch = store.watch(store.revision() + 1, (event) => {
      if (event.type === 'commit' && !event.applied.changes.some(({ key }) => key.kind === revocationKind)) return
      this.learn()
      for (const listener of [...this.listeners]) listener()
    })
    const endTrust = trust.onChange(() => {
      this.signed = null
    })
    // What fails now is done with the next look.
    const endTold = store.replicas?.onTold(() => void this.takeBackRest().catch(() => {}))
    this.ends = [endWatch, endTrust, () => endTold?.()]
  }

  isRevoked(serial: string): boolean {
    return this.serials.has(serial)
  }

  /** Who has taken it back, when and why; null: nobody. */
  banOf(identity: string): Revocation | null {
    return this.banned.get(identity) ?? null
  }

  all(): Revocation[] {
    return [...this.banned.values(), ...this.serials.values()]
  }

  /** PEM: the list of each authority; empty when nothing was taken back. */
  lists(): string {
    if (this.serials.size === 0) return ''
    this.signed ??= this.sign()
    return this.signed
  }

  /** Calls back after each change; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async revokeSerial(serial: string, reason: string, by: string): Promise<Revocation[]> {
    const issued = this.options.ledger.get(serial)
    return this.commit([this.ofSerial(serial, reason, by)], `ca revoke ${issued?.identity ?? serial}`, by)
  }

  /** All of its certificates that are known here, and every one that it would ask for. */
  async revokeIdentity(identity: string, reason: string, by: string): Promise<Revocation[]> {
    const serials = this.options.ledger.ofIdentity(identity).map(({ serial }) => serial)
    const fresh = serials.filter((serial) => !this.serials.has(serial))
    const ban = { serial: null, identity, reason, by, atMs: this.options.nowMs(), untilMs: null }
    // The identity first: nothing is issued to it any more when its certificates are counted.
    return this.commit([ban, ...fresh.map((serial) => this.ofSerial(serial, reason, by))], `ca revoke ${identity}`, by)
  }

  /** The identity may have certificates again; those that were revoked stay so. */
  async lift(identity: string, by: string): Promise<void> {
    if (this.banOf(identity) === null) throw new WeftError('WEFT_API_NOT_FOUND', `${identity} is not revoked`)
    const change = { key: keyOf({ serial: null, identity }), value: null, expect: null }
    await this.options.store.commit({ author: by, reason: `ca revoke ${identity} --lift`, changes: [change] })
  }

  /** Takes away what has ended by itself. Only where changes are taken. */
  async prune(): Promise<void> {
    const now = this.options.nowMs()
    const ended = [...this.serials.values()].filter(({ untilMs }) => untilMs !== null && untilMs <= now)
    const changes = ended.slice(0, maxChanges).map((one): Change => ({ key: keyOf(one), value: null, expect: null }))
    if (changes.length > 0) await this.options.store.commit({ author: 'control', reason: 'ca expired', changes })
  }

  /**
   * Certificates of revoked identities that other replicas have issued, or that were being issued when their identity was
   * revoked. Only where changes are taken.
   */
  async takeBackRest(): Promise<void> {
    const { store, nowMs } = this.options
    if (!store.status().writable) return
    const told = [...(store.replicas?.told().values() ?? [])]
    const elsewhere = told.flatMap((parts) => report.safeParse(parts.get(reportPart)).data?.issued ?? [])
    const left = [...this.leftHere(), ...elsewhere].flatMap(({ serial, identity, untilMs }): Revocation[] => {
      const ban = this.banOf(identity)
      if (ban === null || this.serials.has(serial)) return []
      return [{ serial, identity, reason: ban.reason, by: ban.by, atMs: nowMs(), untilMs }]
    })
    if (left.length > 0) await this.commit(left, 'ca revoke: the rest of an identity', 'control')
  }

  /** To be called regularly, as certificates may still come into the ledger for a moment. */
  report(): void {
    const { replicas } = this.options.store
    if (replicas === null) return
    const issued = this.leftHere()
    replicas.tell(reportPart, issued.length === 0 ? null : ({ issued } satisfies Report))
  }

  /** Certificates issued here of identities that are revoked, which nobody has taken back yet. */
  private leftHere(): Report['issued'] {
    return [...this.banned.keys()].flatMap((identity) =>
      this.options.ledger
        .ofIdentity(identity)
        .filter(({ serial }) => !this.serials.has(serial))
        .map(({ serial, notAfterMs }) => ({ serial, identity, untilMs: notAfterMs })),
    )
  }

  close(): void {
    for (const end of this.ends) end()
  }

  private ofSerial(serial: string, reason: string, by: string): Revocation {
    const { ledger, nowMs } = this.options
    const issued = ledger.get(serial)
    const untilMs = issued === null ? null : issued.notAfterMs
    return { serial, identity: issued?.identity ?? null, reason, by, atMs: nowMs(), untilMs }
  }

  private async commit(all: Revocation[], reason: string, author: string): Promise<Revocation[]> {
    for (let at = 0; at < all.length; at += maxChanges) {
      const changes = all
        .slice(at, at + maxChanges)
        .map((one): Change => ({ key: keyOf(one), value: { ...one }, expect: null }))
      await this.options.store.commit({ author, reason, changes })
    }
    return all
  }

  private learn(): void {
    const all = this.options.store.list({ kind: revocationKind }).map(({ value }) => value as unknown as Revocation)
    this.serials = new Map(all.flatMap((one) => (one.serial === null ? [] : [[one.serial, one] as const])))
    this.banned = new Map(
      all.flatMap((one) => (one.serial === null && one.identity !== null ? [[one.identity, one] as const] : [])),
    )
    this.signed = null
    this.report()
  }

  private sign(): string {
    const { store, trust, nowMs, clockSkewMs, ledger } = this.options
    const revoked = [...this.serials].map(([serial, { atMs }]) => ({ serial, atMs }))
    return trust
      .all()
      .flatMap(({ id, signer, ...authority }) => {
        // Without its key there is no list, and whoever verifies takes nothing of it: that is safe, and was said.
        if (signer === null) return []
        const own = revoked.filter(({ serial }) => (ledger.get(serial)?.authority ?? id) === id)
        const { notAfterMs } = describeLink(signingCertificate({ id, ...authority }))
        // Data planes are told each change at once; a list that ends before its issuer would only stop traffic while
        // the control plane is away.
        return signer.revoke({ number: store.revision(), notBeforeMs: nowMs() - clockSkewMs, notAfterMs, revoked: own })
      })
      .join('')
  }
}

function keyOf({ serial, identity }: Pick<Revocation, 'serial' | 'identity'>): Key {
  const digest = createHash('sha256')
    .update(identity ?? '')
    .digest('hex')
  return { kind: revocationKind, namespace: 'weft', name: serial ?? `identity:${digest.slice(0, 32)}` }
}
