/**
 * An authority's key at work: signs what it is told, by rcgen in the addon. What to sign is decided elsewhere.
 *
 * Invariant: a key is handed to the addon once and is not read back.
 */
import { createHash, randomBytes } from 'node:crypto'
import { WeftError } from '../../errors.js'
import { loadAddon } from '../../native/index.js'

export interface Pair {
  /** PEM. */
  certificate: string
  /** PKCS #8, PEM. */
  key: string
}

export interface Times {
  notBeforeMs: number
  notAfterMs: number
}

export interface AuthorityTerms extends Times {
  name: string
  trustDomain: string
}

export interface LeafTerms extends Times {
  /** SPIFFE IDs. */
  uris: readonly string[]
  /** DNS names and IP addresses. */
  hosts: readonly string[]
}

export interface SignedLeaf extends Times {
  /** PEM: the leaf alone. */
  certificate: string
  /** Hexadecimal. */
  serial: string
  /** SHA-256 of the public key, in hexadecimal. */
  keyId: string
}

export interface Revocations extends Times {
  /** Grows with every list. */
  number: number
  revoked: readonly { serial: string; atMs: number }[]
}

export class Signer {
  private readonly id: number

  private constructor(id: number) {
    this.id = id
  }

  /** Throws `WEFT_CA_KEY` when they do not belong together or are none of an authority. */
  static open({ certificate, key }: Pair): Signer {
    return new Signer(ask('WEFT_CA_KEY', () => loadAddon().openSigner(certificate, key)))
  }

  /** With a new key. */
  issue(terms: LeafTerms): SignedLeaf & { key: string } {
    const { serial, text } = written(terms)
    const signed = ask('WEFT_CA_REQUEST', () => loadAddon().issueCertificate(this.id, text))
    const { certificate, key, publicKey } = JSON.parse(signed) as Pair & { publicKey: string }
    return { ...timesOf(terms), certificate, key, serial, keyId: digest(publicKey) }
  }

  /** For the key of a request; off the loop. Throws `WEFT_CA_REQUEST`. */
  async sign(request: string, terms: LeafTerms): Promise<SignedLeaf> {
    const { serial, text } = written(terms)
    const signed = await loadAddon()
      .signRequest(this.id, request, text)
      .catch((cause: Error) => Promise.reject(new WeftError('WEFT_CA_REQUEST', cause.message, { cause })))
    const { certificate, publicKey } = JSON.parse(signed) as { certificate: string; publicKey: string }
    return { ...timesOf(terms), certificate, serial, keyId: digest(publicKey) }
  }

  /** PEM. */
  revoke({ number, notBeforeMs, notAfterMs, revoked }: Revocations): string {
    const list = {
      ...{ number, thisUpdate: seconds(notBeforeMs), nextUpdate: seconds(notAfterMs) },
      revoked: revoked.map(({ serial, atMs }) => ({ serial, at: seconds(atMs) })),
    }
    return ask('WEFT_CA_STATE', () => loadAddon().signRevocations(this.id, JSON.stringify(list)))
  }

  /** An intermediate; with `key`, one that has a certificate already and keeps its key. */
  createIntermediate(terms: AuthorityTerms, key: string | null): Pair {
    const { text } = written(terms)
    return JSON.parse(ask('WEFT_CA_KEY', () => loadAddon().createIntermediate(this.id, text, key))) as Pair
  }

  close(): void {
    loadAddon().closeSigner(this.id)
  }
}

export function createRoot(terms: AuthorityTerms): Pair {
  return JSON.parse(ask('WEFT_CA_KEY', () => loadAddon().createRoot(written(terms).text))) as Pair
}

function written({ notBeforeMs, notAfterMs, ...rest }: AuthorityTerms | LeafTerms): { serial: string; text: string } {
  // 128 bits, of which the first two keep it positive and of one length (RFC 5280 section 4.1.2.2).
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  const serial = bytes.toString('hex')
  const times = { notBefore: seconds(notBeforeMs), notAfter: seconds(notAfterMs) }
  return { serial, text: JSON.stringify({ ...rest, ...times, serial }) }
}

/** As they stand in the certificate: whole seconds. */
function timesOf({ notBeforeMs, notAfterMs }: Times): Times {
  return { notBeforeMs: seconds(notBeforeMs) * 1_000, notAfterMs: seconds(notAfterMs) * 1_000 }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000)
}

function digest(hexadecimal: string): string {
  return createHash('sha256').update(hexadecimal, 'hex').digest('hex')
}

function ask<Answer>(code: 'WEFT_CA_KEY' | 'WEFT_CA_REQUEST' | 'WEFT_CA_STATE', run: () => Answer): Answer {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof WeftError) throw cause
    throw new WeftError(code, (cause as Error).message, { cause })
  }
}
