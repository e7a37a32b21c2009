/**
 * Keeps a workload's certificate in files: asked for once, renewed at half of its life, its roots as they change.
 *
 * Invariants: what is there stays until its successor is; a new key for each certificate; a control plane that is away
 * costs nothing until the certificate ends, and is said before.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { WeftError } from '../../errors.js'
import { loadAddon } from '../../native/index.js'
import type { Authority, Bundle, Pair } from './authority.js'
import type { CertificateFiles } from './certificate-files.js'

export interface CertificateAgentOptions {
  authority: Authority
  files: CertificateFiles
  /** Wall clock. */
  nowMs: () => number
  random: () => number
  say: { info(message: string): void; warn(message: string): void; error(message: string): void }
}

const half = 0.5
const jitter = 0.05
const warnAt = 0.75
const alarmAt = 0.9
const longestTimerMs = 2_147_483_647

export class CertificateAgent {
  private readonly options: CertificateAgentOptions
  private own: Pair | null
  private timer: NodeJS.Timeout | undefined
  private endFollowing: (() => void) | null = null
  private over = false

  constructor(options: CertificateAgentOptions) {
    this.options = options
    this.own = options.files.read(options.nowMs())
  }

  /** Resolves when a good certificate and the roots are in place. Throws what keeps the first from coming. */
  async start(): Promise<void> {
    const { authority, files } = this.options
    const received = await this.ask()
    if (received !== null) files.writeBundle(received)
    else await this.firstBundle(authority)
  }

  /** Goes on until `stop`. */
  keep(): void {
    const { authority, files } = this.options
    this.endFollowing ??= authority.follow(
      () => this.own,
      async (bundle) => files.writeBundle(bundle),
    )
    this.plan()
  }

  stop(): void {
    this.over = true
    clearTimeout(this.timer)
    this.endFollowing?.()
  }

  private firstBundle(authority: Authority): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        end()
        reject(new WeftError('WEFT_CLIENT_UNREACHABLE', 'the trusted roots were not told within 10 s'))
      }, 10_000)
      const end = authority.follow(
        () => this.own,
        async (bundle) => {
          this.options.files.writeBundle(bundle)
          clearTimeout(late)
          // After what follows has said that it is in place.
          setImmediate(end)
          resolve()
        },
      )
    })
  }

  /** A new key and its certificate, written. */
  private async ask(): Promise<Bundle | null> {
    const { authority, files } = this.options
    const { request, key } = JSON.parse(loadAddon().createRequest()) as { request: string; key: string }
    const { chain, bundle } = await authority.certify(request, this.own)
    const leaf = new X509Certificate(chain)
    if (!leaf.checkPrivateKey(createPrivateKey(key))) {
      throw new WeftError('WEFT_CLIENT_UNREACHABLE', 'the certificate that came is not for the key that was made')
    }
    this.own = { certificate: chain, key }
    files.writePair(this.own)
    const { subjectAltName, validTo } = leaf
    this.options.say.info(`certificate of ${subjectAltName}, until ${new Date(validTo).toISOString()}`)
    return bundle
  }

  private plan(): void {
    const { nowMs, random } = this.options
    const share = half + jitter * (2 * random() - 1)
    const now = nowMs()
    this.wait(Math.max(0, (this.endMs() - now) * share), { beganMs: now, failures: 0 })
  }

  private wait(ms: number, life: { beganMs: number; failures: number }): void {
    if (this.over) return
    this.timer = setTimeout(() => void this.renew(life), Math.min(ms, longestTimerMs))
  }

  private async renew(life: { beganMs: number; failures: number }): Promise<void> {
    try {
      const bundle = await this.ask()
      if (bundle !== null) this.options.files.writeBundle(bundle)
      this.plan()
    } catch (error) {
      const { nowMs, random } = this.options
      this.complain(life.beganMs, (error as Error).message)
      const restMs = Math.max(0, this.endMs() - nowMs())
      const failures = life.failures + 1
      const pauseMs = Math.min(1_000 * 2 ** Math.min(failures, 6), Math.max(1_000, restMs / 10))
      this.wait(pauseMs * (0.5 + random()), { beganMs: life.beganMs, failures })
    }
  }

  private complain(beganMs: number, why: string): void {
    const { nowMs, say } = this.options
    const endMs = this.endMs()
    const spent = (nowMs() - beganMs) / Math.max(1, endMs - beganMs)
    const text = `the certificate is not renewed and ends at ${new Date(endMs).toISOString()}: ${why}`
    if (spent >= alarmAt) say.error(text)
    else if (spent >= warnAt) say.warn(text)
    else say.info(text)
  }

  private endMs(): number {
    return this.own === null ? 0 : Date.parse(new X509Certificate(this.own.certificate).validTo)
  }
}
