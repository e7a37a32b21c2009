/**
 * Issues certificates of workloads: what each says and how long it lasts, signed, written down, told to the audit log.
 *
 * Invariants: a certificate says who was proved, never what was asked for; none outlives its authority; a key has one
 * certificate, so a request that was overheard is worth nothing to whoever repeats it.
 */
import { WeftError } from '../../errors.js'
import type { AuditLog } from '../audit.js'
import type { WorkloadName } from '../certificates/certificate-source.js'
import { describeLink, iso } from './chain.js'
import type { Ledger } from './ledger.js'
import type { RevocationList } from './revocation-list.js'
import type { LeafTerms, SignedLeaf, Signer } from './signer.js'
import { type Authority, noKeyHint, signingCertificate, type TrustSet } from './trust-set.js'

export interface IssuerOptions {
  trust: TrustSet
  ledger: Ledger
  revocations: RevocationList
  audit: AuditLog
  trustDomain: string
  leafMs: number
  clockSkewMs: number
  /** Wall clock. */
  nowMs: () => number
}

export interface Granted extends SignedLeaf {
  /** PEM: the leaf, then what stands between it and the root. */
  chain: string
  /** PEM: the root of the chain. */
  root: string
  authority: string
  /** Null where the key never left whoever asked. */
  key: string | null
}

export interface Given {
  granted: Granted
  /** Resolves when ledger and audit log have it on the disk. Rejects with `WEFT_CA_STATE`. */
  written: Promise<void>
}

export interface Wish {
  /** Who asks, as it was proved, for the audit log. */
  by: string
  /** Shorter than usual; null: as usual. */
  lastsMs: number | null
}

/** Wide enough for every real name, and no part of a SPIFFE ID's syntax. */
const nameForm = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/
const minLeafMs = 1_000

export class Issuer {
  private readonly options: IssuerOptions

  constructor(options: IssuerOptions) {
    this.options = options
  }

  /** Throws `WEFT_CA_REQUEST` for a name that no SPIFFE ID can hold. */
  identityOf({ namespace, account }: WorkloadName): string {
    for (const [what, name] of [
      ['namespace', namespace],
      ['service account', account],
    ] as const) {
      if (!nameForm.test(name)) throw refused(`${JSON.stringify(name.slice(0, 80))} cannot be a ${what}`)
    }
    return `spiffe://${this.options.trustDomain}/ns/${namespace}/sa/${account}`
  }

  /** For the key of a request, off the loop. Throws `WEFT_CA_REQUEST` or `WEFT_CA_STATE`. */
  async sign(workload: WorkloadName, request: string, wish: Wish): Promise<Granted> {
    const identity = this.identityOf(workload)
    const { authority, signer, terms } = this.prepare(identity, { uris: [identity], hosts: [] }, wish)
    const leaf = await signer.sign(request, terms)
    const used = this.options.ledger.ofKey(leaf.keyId)
    if (used !== null) {
      throw refused(
        `the key of this request has a certificate already: ${used.serial} of ${used.identity}`,
        'make a new key for each request',
      )
    }
    // It may have been taken back while this was signed.
    this.demandAllowed(identity)
    const { granted, written } = this.grant(authority, { ...leaf, key: null }, identity, wish)
    await written
    // Nor while it was written down.
    this.demandAllowed(identity)
    return granted
  }

  /** With a new key, at once: for Envoys, whose keys come to them by SDS. */
  issue(workload: WorkloadName, wish: Wish): Given {
    const identity = this.identityOf(workload)
    return this.issueFor(identity, { uris: [identity], hosts: [] }, wish)
  }

  /** For gateways, servers and operators, by a person's wish. */
  issueNamed(hosts: readonly string[], wish: Wish): Given {
    return this.issueFor(hosts.join(','), { uris: [], hosts }, wish)
  }

  private issueFor(identity: string, names: Pick<LeafTerms, 'uris' | 'hosts'>, wish: Wish): Given {
    const { authority, signer, terms } = this.prepare(identity, names, wish)
    return this.grant(authority, signer.issue(terms), identity, wish)
  }

  private prepare(identity: string, names: Pick<LeafTerms, 'uris' | 'hosts'>, { lastsMs }: Wish) {
    this.demandAllowed(identity)
    const { trust, leafMs, clockSkewMs, nowMs } = this.options
    const authority = trust.inState('issuing')
    if (authority === null) throw unable('there is no authority that issues yet', 'the leader makes one: try again')
    const { signer, id } = authority
    if (signer === null) {
      throw unable(`the key of the authority ${id} does not lie here`, noKeyHint(id))
    }
    const now = nowMs()
    const own = describeLink(signingCertificate(authority))
    if (own.notBeforeMs > now) {
      throw unable(`the authority ${id} begins at ${iso(own.notBeforeMs)}, and it is ${iso(now)}`, 'look at the clock')
    }
    if (own.notAfterMs <= now) throw unable(`the authority ${id} expired at ${iso(own.notAfterMs)}`, 'weft ca rotate')
    const lasts = Math.max(minLeafMs, Math.min(lastsMs ?? leafMs, leafMs))
    const notBeforeMs = Math.max(now - clockSkewMs, own.notBeforeMs)
    const terms: LeafTerms = { ...names, notBeforeMs, notAfterMs: Math.min(now + lasts, own.notAfterMs) }
    return { authority, signer, terms } satisfies { authority: Authority; signer: Signer; terms: LeafTerms }
  }

  private demandAllowed(identity: string): void {
    const ban = this.options.revocations.banOf(identity)
    if (ban === null) return
    throw refused(
      `${identity} was revoked by ${ban.by} at ${iso(ban.atMs)}: ${ban.reason}`,
      `weft ca revoke --identity ${identity} --lift`,
    )
  }

  private grant(
    { id, chain, root }: Authority,
    leaf: SignedLeaf & { key: string | null },
    identity: string,
    { by }: Wish,
  ): Given {
    const { ledger, audit, nowMs } = this.options
    const { serial, keyId, notAfterMs } = leaf
    const told = { serial, authority: id, notAfter: iso(notAfterMs), keyId }
    const written = Promise.all([
      ledger.add({ serial, identity, keyId, authority: id, notAfterMs }),
      audit.issued(by, identity, told, new Date(nowMs())),
    ]).then(
      () => {},
      ({ message }: Error) => {
        throw unable(`the certificate cannot be written down, so it is not given: ${message}`, 'look at the disk')
      },
    )
    written.catch(() => {}) // whoever does not wait has heard it from the logs
    return { granted: { ...leaf, chain: `${leaf.certificate}${chain}`, root, authority: id }, written }
  }
}

function refused(message: string, hint?: string): WeftError {
  return new WeftError('WEFT_CA_REQUEST', message, hint === undefined ? {} : { hint })
}

function unable(message: string, hint: string): WeftError {
  return new WeftError('WEFT_CA_STATE', message, { hint })
}
