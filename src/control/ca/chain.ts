/** Chains of certificates as PEM texts: what stands in them, and whether one is good. */
import { createHash, X509Certificate } from 'node:crypto'
import { WeftError } from '../../errors.js'
import type { Times } from './signer.js'

export interface Link extends Times {
  subject: string
  /** Hexadecimal, lower case, as `Signer` writes it. */
  serial: string
}

/** The certificates of a text, in their order. */
export function splitPem(text: string): string[] {
  return (text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((pem) => `${pem}\n`)
}

export function describeLink(pem: string): Link {
  return linkOf(new X509Certificate(pem))
}

function linkOf({ subject, serialNumber, validFrom, validTo }: X509Certificate): Link {
  const times = { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) }
  return { subject: subject.split('\n').join(', '), serial: serialNumber.toLowerCase(), ...times }
}

/** A name for an authority that it keeps when its certificate is renewed: of its public key. */
export function authorityId(pem: string): string {
  const { publicKey } = new X509Certificate(pem)
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('hex').slice(0, 12)
}

export interface ReadChain {
  /** Who signs first; without the root; empty when the root signs itself. */
  chain: string
  root: string
}

/**
 * An authority's own chain, as people give it: who signs first, its root last. Throws `WEFT_CA_KEY` with the link that
 * is wrong.
 */
export function readChain(text: string, file: string, nowMs: number): ReadChain {
  const pems = splitPem(text)
  const links = pems.map((pem, index) => parse(pem, file, index))
  const root = links.at(-1)
  if (root === undefined) throw refused(`${file} holds no certificate`, 'a PEM file is needed: BEGIN CERTIFICATE')
  for (const [index, link] of links.entries()) {
    const { notBeforeMs, notAfterMs, subject } = linkOf(link)
    if (!link.ca) throw refused(`${file}: ${subject} is no authority (CA:TRUE)`, 'leave out certificates of workloads')
    if (notAfterMs <= nowMs) throw refused(`${file}: ${subject} expired at ${iso(notAfterMs)}`, 'renew it')
    if (notBeforeMs > nowMs) {
      throw refused(`${file}: ${subject} begins at ${iso(notBeforeMs)}, and it is ${iso(nowMs)}`, 'look at the clock')
    }
    const signer = links[index + 1] ?? link
    if (!link.checkIssued(signer) || !link.verify(signer.publicKey)) {
      const where = signer === link ? 'is not signed by itself: the root must stand last' : 'is not signed by the next'
      throw refused(`${file}: ${subject} ${where}`, 'order: who signs first, its root last')
    }
  }
  return { chain: pems.slice(0, -1).join(''), root: pems.at(-1) ?? '' }
}

function parse(pem: string, file: string, index: number): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw refused(`${file}: certificate ${index + 1} cannot be read`, 'look for cut or changed lines', cause)
  }
}

export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function refused(message: string, hint: string, cause?: unknown): WeftError {
  return new WeftError('WEFT_CA_KEY', message, { hint, cause })
}
