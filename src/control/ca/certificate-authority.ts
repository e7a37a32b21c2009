/**
 * The certificate authority of the mesh, put together: who is trusted, what was issued and taken back, and what data
 * planes are given.
 *
 * Invariants: the store holds what all replicas must agree on, `DATA/ca` the keys; only the leader changes who is
 * trusted; what cannot be done here is said and stops nothing else.
 */
import { join } from 'node:path'
import { WeftError } from '../../errors.js'
import type { Logger } from '../../telemetry/logger.js'
import type { Tokens } from '../access/tokens.js'
import type { AuditLog } from '../audit.js'
import type { CertificateSource, NamedCertificates, TrustBundle } from '../certificates/certificate-source.js'
import { type AuthorityConfig, type ControlConfig, defaultAuthority } from '../config/control-config.js'
import type { Store } from '../store/store.js'
import { Attestor } from './attestation/attestor.js'
import { KubernetesTokens } from './attestation/kubernetes.js'
import {
  type AuthorityCertificates,
  type AuthorityFolder,
  foundAuthorities,
  hasRootKey,
  makeAuthority,
  removeAuthority,
  renewIntermediate,
  takeAuthority,
} from './authority-files.js'
import { placeOf } from './authority-place.js'
import { describeLink } from './chain.js'
import { Issuer } from './issuer.js'
import { Ledger } from './ledger.js'
import { RevocationList } from './revocation-list.js'
import { type Follower, RootsFollowers } from './roots-followers.js'
import { Rotation } from './rotation.js'
import { keptOf, signingCertificate, TrustSet } from './trust-set.js'
import { WorkloadCertificates } from './workload-certificates.js'

export interface CertificateAuthorityOptions {
  config: ControlConfig
  store: Store
  tokens: Tokens
  audit: AuditLog
  logger: Logger
  /** Certificates that people named lie in files, whoever issues those of workloads. */
  files: NamedCertificates
  /** Wall clock. */
  nowMs: () => number
}

/** How often it looks for what is due. */
const lookMs = 1_000
const pruneMs = 60_000
/** How often a replica tells the others who follows the roots at it. */
const reportMs = 500
/** Authorities are renewed in the last fifth of their life, as Istio does. */
const renewShare = 0.8

export class CertificateAuthority implements CertificateSource {
  readonly trust: TrustSet
  readonly issuer: Issuer
  readonly revocations: RevocationList
  readonly ledger: Ledger
  readonly rotation: Rotation
  readonly followers: RootsFollowers
  readonly attestor: Attestor
  readonly settings: AuthorityConfig
  private readonly workloads: WorkloadCertificates
  private readonly options: CertificateAuthorityOptions
  private readonly place: AuthorityFolder
  private readonly ends: (() => void)[] = []
  private dataPlanes: () => readonly Follower[] = () => []
  private looking = false
  private lastComplaint = ''

  private constructor(
    options: CertificateAuthorityOptions,
    settings: AuthorityConfig,
    place: AuthorityFolder,
    ledger: Ledger,
  ) {
    const { store, audit, config, nowMs, logger, tokens } = options
    const { leaf: leafMs, clockSkew: clockSkewMs, settle: settleMs } = settings
    const { trustDomain } = config.mesh
    this.options = options
    this.settings = settings
    this.place = place
    this.ledger = ledger
    this.trust = new TrustSet({ ...place, store, say: (text) => logger.warn(text) })
    const { trust } = this
    this.revocations = new RevocationList({ store, trust, ledger, nowMs, clockSkewMs })
    const { revocations } = this
    this.issuer = new Issuer({ trust, ledger, revocations, audit, trustDomain, leafMs, clockSkewMs, nowMs })
    const { issuer } = this
    this.workloads = new WorkloadCertificates({ issuer, trust, revocations, nowMs, random: Math.random, say: logger })
    this.followers = new RootsFollowers({
      ...{ leafMs, nowMs: () => performance.now(), dataPlanes: () => this.dataPlanes(), replicas: store.replicas },
      current: () => this.bundle(),
    })
    const kubernetes =
      settings.kubernetes === null ? null : new KubernetesTokens({ ...settings.kubernetes, clockSkewMs, nowMs })
    const denied = (address: string, why: string) => audit.denied(address, `a certificate: ${why}`, new Date(nowMs()))
    this.attestor = new Attestor({ tokens, kubernetes, revocations, trustDomain, denied })
    this.rotation = new Rotation({
      ...{ trust, settleMs, leafMs, nowMs, lastEndMs: (id) => ledger.lastEndMs(id) },
      waiting: () => this.followers.waiting(),
      isLeading: () => store.status().writable,
      dropped: (id) => removeAuthority(place, id),
      say: (text) => logger.info(text),
    })
    const tell = () => this.followers.tell()
    const timer = setInterval(() => void this.look(), lookMs)
    const reporting = store.replicas === null ? null : setInterval(() => this.followers.report(), reportMs)
    const pruning = setInterval(() => ledger.prune(), pruneMs)
    const endTimers = () => {
      clearInterval(timer)
      clearInterval(pruning)
      if (reporting !== null) clearInterval(reporting)
    }
    this.ends.push(trust.onChange(tell), revocations.onChange(tell), endTimers)
  }

  /** Throws `WEFT_CA_KEY` for files that cannot be used. */
  static async open(options: CertificateAuthorityOptions): Promise<CertificateAuthority> {
    const settings = options.config.authority ?? defaultAuthority()
    const place = placeOf(options.config, settings)
    const file = join(place.folder, 'issued.log')
    const ledger = await Ledger.open({ file, nowMs: options.nowMs, warn: (text) => options.logger.warn(text) })
    const authority = new CertificateAuthority(options, settings, place, ledger)
    try {
      await authority.found()
    } catch (error) {
      await authority.close()
      throw error
    }
    return authority
  }

  identity(workload: Parameters<CertificateSource['identity']>[0]) {
    return this.workloads.identity(workload)
  }

  prepare(workload: Parameters<CertificateSource['identity']>[0]) {
    return this.workloads.prepare(workload)
  }

  named(name: string) {
    return this.options.files.named(name)
  }

  authorities(name: string) {
    return this.options.files.authorities(name)
  }

  roots(): TrustBundle | null {
    const roots = this.trust.roots()
    return roots === '' ? null : { roots, revoked: this.revocations.lists(), leavesOnly: true }
  }

  /** What is trusted and what was taken back, for those who keep both in files. */
  bundle(): { roots: string; revoked: string } {
    return { roots: this.trust.roots(), revoked: this.revocations.lists() }
  }

  onChange(listener: () => void): () => void {
    const sources = [this.workloads, this.trust, this.revocations, this.options.files]
    const ends = sources.map((source) => source.onChange(listener))
    return () => {
      for (const end of ends) end()
    }
  }

  /** Those that are given roots by SDS: a rotation waits for them. */
  askDataPlanes(dataPlanes: () => readonly Follower[]): void {
    this.dataPlanes = dataPlanes
  }

  /** A new root takes the place of the present one, step by step. Throws `WEFT_CA_STATE`. */
  async rotate(by: string): Promise<string> {
    this.demandLeading()
    this.trust.demandSharing()
    this.rotation.demandNone()
    const issuing = this.trust.inState('issuing')
    if (issuing !== null && !issuing.own) {
      throw new WeftError('WEFT_CA_STATE', 'the authority was given, so another has to be given in its place', {
        hint: 'set authority.certificate and authority.key to the new one and start again: the rotation begins by itself',
      })
    }
    const made = makeAuthority(this.place, this.options.config.mesh.trustDomain, this.options.nowMs())
    await this.rotation.begin(made, by)
    return made.id
  }

  async close(): Promise<void> {
    for (const end of this.ends) end()
    this.rotation.close()
    this.workloads.close()
    this.revocations.close()
    this.trust.close()
    await this.ledger.close()
  }

  /** At the start, and when this replica begins to lead: there must be one, and it must be the one that was given. */
  private async found(): Promise<void> {
    const { config, nowMs, logger, store } = this.options
    if (!store.status().writable) return
    const { certificate, key } = this.settings
    const given = certificate === null || key === null ? null : takeAuthority(this.place, { certificate, key }, nowMs())
    if (this.trust.all().length > 0) {
      if (given !== null && !this.trust.all().some(({ id }) => id === given.id)) {
        logger.info(`the authority ${given.id} was given and takes the place of the present one`)
        await this.rotation.begin(given, 'control')
      }
      return
    }
    const [first = makeAuthority(this.place, config.mesh.trustDomain, nowMs())] =
      given !== null ? [given] : foundAuthorities(this.place)
    const value = { ...first, state: 'issuing' as const, sinceMs: nowMs(), untilMs: null }
    await this.trust.commit('control', 'ca init', [{ id: first.id, value, expect: 0 }])
    logger.info(`the authority ${first.id} issues certificates of ${config.mesh.trustDomain}`)
  }

  private async look(): Promise<void> {
    this.revocations.report()
    if (this.looking || !this.options.store.status().writable) return
    this.looking = true
    try {
      if (this.trust.all().length === 0) await this.found()
      await this.trust.shareKeys()
      await this.revocations.takeBackRest()
      await this.revocations.prune()
      await this.renewAuthority()
      this.lastComplaint = ''
    } catch (error) {
      const { message } = error as Error
      if (message !== this.lastComplaint) this.options.logger.warn(`the authority waits: ${message}`)
      this.lastComplaint = message
    } finally {
      this.looking = false
    }
  }

  /** In the last fifth of its life: the intermediate under the same root, or another root. */
  private async renewAuthority(): Promise<void> {
    const { trust, place, options } = this
    const issuing = trust.inState('issuing')
    if (issuing === null || !issuing.own || issuing.signer === null) return
    const now = options.nowMs()
    const { trustDomain } = options.config.mesh
    if (isOld(issuing.root, now) && this.rotation.next().do === 'nothing') {
      trust.demandSharing()
      options.logger.info(`the root of ${issuing.id} is in the last fifth of its life: another takes its place`)
      await this.rotation.begin(makeAuthority(place, trustDomain, now), 'control')
      return
    }
    // With as little life left as its root there is nothing to gain.
    const ends = describeLink(issuing.root).notAfterMs
    const signing = signingCertificate(issuing)
    if (!isOld(signing, now) || describeLink(signing).notAfterMs >= ends || !hasRootKey(place, issuing.id)) return
    const renewed: AuthorityCertificates = renewIntermediate(place, issuing, trustDomain, now)
    const value = { ...keptOf(issuing), chain: renewed.chain }
    await trust.commit('control', 'ca renew', [{ id: issuing.id, value, expect: issuing.version }])
    options.logger.info(`the intermediate of ${issuing.id} was renewed`)
  }

  private demandLeading(): void {
    const { writable, reason, leader } = this.options.store.status()
    if (writable) return
    if (leader !== null && !leader.isSelf) {
      throw new WeftError('WEFT_STORE_NOT_LEADER', 'another replica leads', { path: leader.address })
    }
    throw new WeftError('WEFT_CA_STATE', `changes are not taken now: ${reason}`)
  }
}

function isOld(pem: string, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = describeLink(pem)
  return nowMs > notBeforeMs + (notAfterMs - notBeforeMs) * renewShare
}
