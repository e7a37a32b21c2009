/**
 * Who asks: by bearer token, or by client certificate. Guessing is slowed down per address.
 *
 * Invariant: a wrong token is never made up for by a certificate; nobody is somebody by default.
 */
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { WeftError } from '../../errors.js'
import { type CertificateHolder, principalOfCertificate } from '../access/certificate-access.js'
import { RateLimit } from '../access/rate-limit.js'
import type { Principal } from '../access/roles.js'
import type { Tokens } from '../access/tokens.js'

export interface AuthenticatorOptions {
  tokens: Tokens
  holders: readonly CertificateHolder[]
  /** Monotonic. */
  nowMs: () => number
}

export class Authenticator {
  private readonly options: AuthenticatorOptions
  /** Spent by refusals only. */
  private readonly refusals: RateLimit

  constructor(options: AuthenticatorOptions) {
    this.options = options
    this.refusals = new RateLimit({ perSecond: 5, burst: 20, nowMs: options.nowMs })
  }

  /** Throws `WEFT_ACCESS_TOKEN`, or `WEFT_ACCESS_RATE` for an address that was refused too often. */
  authenticate(request: IncomingMessage, address: string): Principal {
    try {
      return this.principal(request)
    } catch (error) {
      const waitMs = this.refusals.take(address)
      if (waitMs > 0) throw tooOften(`${address} was refused too often`, waitMs)
      throw error
    }
  }

  /** Whether it would be let in now, too: a token may have been revoked or have expired meanwhile. */
  recognises(request: IncomingMessage): boolean {
    try {
      this.principal(request)
      return true
    } catch {
      return false
    }
  }

  private principal({ headers, socket }: IncomingMessage): Principal {
    const { authorization } = headers
    if (authorization !== undefined) {
      const token = /^Bearer ([^\s]+)$/i.exec(authorization)?.[1]
      if (token !== undefined) return this.options.tokens.verify(token)
      throw new WeftError('WEFT_ACCESS_TOKEN', 'the authorization header is not a bearer token', { hint: sendToken })
    }
    const certified = socket instanceof TLSSocket ? principalOfCertificate(socket, this.options.holders) : null
    if (certified !== null) return certified
    throw new WeftError('WEFT_ACCESS_TOKEN', 'the request does not say who asks', { hint: sendToken })
  }
}

const sendToken = 'send `authorization: Bearer TOKEN`; with weft: --token or WEFT_TOKEN'

/** `path` carries the seconds for the header. */
export function tooOften(what: string, waitMs: number): WeftError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000))
  return new WeftError('WEFT_ACCESS_RATE', what, { path: String(seconds), hint: `try again in ${seconds} s` })
}
