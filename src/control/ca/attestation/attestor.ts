/**
 * Who asks for a certificate: by a token, a service-account token, or the certificate that it has. Guessing is slowed
 * down for each address.
 *
 * Invariants: nobody is somebody without a proof, wherever they connect from; a wrong token is never made up for by a
 * certificate.
 */
import { WeftError } from '../../../errors.js'
import { RateLimit } from '../../access/rate-limit.js'
import type { Tokens } from '../../access/tokens.js'
import type { RevocationList } from '../revocation-list.js'
import { attestByCertificate } from './certificate.js'
import type { KubernetesTokens } from './kubernetes.js'
import { type Attested, type Proof, unproved, type Wanted } from './proof.js'
import { attestByToken } from './token.js'

export interface AttestorOptions {
  tokens: Tokens
  kubernetes: KubernetesTokens | null
  revocations: RevocationList
  trustDomain: string
  /** Told of each refusal: the address and why. */
  denied: (address: string, why: string) => void
}

export class Attestor {
  private readonly options: AttestorOptions
  /** Spent by refusals only. */
  private readonly refusals = new RateLimit({ perSecond: 5, burst: 20, nowMs: () => performance.now() })

  constructor(options: AttestorOptions) {
    this.options = options
  }

  /** Throws `WEFT_CA_PROOF`, or `WEFT_ACCESS_RATE` for an address that was refused too often. */
  async attest(proof: Proof, wanted: Wanted, address: string): Promise<Attested> {
    try {
      return await this.judge(proof, wanted)
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'WEFT_CA_PROOF') throw error
      this.options.denied(address, error.message)
      const waitMs = this.refusals.take(address)
      if (waitMs === 0) throw error
      throw new WeftError('WEFT_ACCESS_RATE', `${address} was refused too often`, {
        path: String(Math.ceil(waitMs / 1_000)),
        hint: `try again in ${Math.ceil(waitMs / 1_000)} s`,
      })
    }
  }

  private async judge({ authorization, certificate }: Proof, wanted: Wanted): Promise<Attested> {
    const { tokens, kubernetes, revocations, trustDomain } = this.options
    if (authorization !== null) {
      const token = authorization.replace(/^Bearer /i, '')
      // Three parts of base64: a JSON Web Token, which a token of ours never is.
      if (kubernetes !== null && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return kubernetes.attest(token, wanted)
      return attestByToken(tokens, token, wanted)
    }
    if (certificate !== null) return attestByCertificate(trustDomain, revocations, certificate, wanted)
    throw unproved('whoever asks has shown neither a token nor a certificate', 'send `authorization: Bearer TOKEN`')
  }
}
