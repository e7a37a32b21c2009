/**
 * Which data plane may be which: a data plane is given its own view and its own identity and no other, so it must prove
 * its namespace and service account, by its certificate's SPIFFE ID or by a token.
 *
 * Only where nothing but this machine can connect, and no certificate is asked for, is its word taken.
 */
import type { PeerCertificate } from 'node:tls'
import { WeftError } from '../../errors.js'
import { mayIn } from '../access/roles.js'
import type { Tokens } from '../access/tokens.js'

export interface Applicant {
  namespace: string
  service: string
  account: string
}

export interface Proof {
  /** What TLS has verified; null without. */
  certificate: PeerCertificate | null
  /** `Bearer TOKEN`; null without. */
  authorization: string | null
}

export interface AdmissionOptions {
  tokens: Tokens
  trustDomain: string
  /** Whether a data plane without proof is believed. */
  open: boolean
  /** Whether a certificate was taken back, by its serial number in lower case; absent: none ever is. */
  isRevoked?: (serial: string) => boolean
}

/** Null, or the reason why it may not be this data plane. */
export function refuseDataPlane(options: AdmissionOptions, applicant: Applicant, proof: Proof): string | null {
  const { tokens, trustDomain, open, isRevoked } = options
  if (proof.authorization !== null) return byToken(tokens, applicant, proof.authorization)
  const serial = proof.certificate?.serialNumber?.toLowerCase() ?? ''
  if (isRevoked?.(serial)) return `its certificate ${serial} was revoked`
  if (proof.certificate !== null) return byCertificate(trustDomain, applicant, proof.certificate)
  return open ? null : 'a data plane must prove who it is, by a certificate or by `authorization: Bearer TOKEN`'
}

function byToken(tokens: Tokens, applicant: Applicant, authorization: string): string | null {
  const { namespace, service, account } = applicant
  try {
    const principal = tokens.verify(authorization.replace(/^Bearer /i, ''))
    if (!mayIn(principal, namespace)) return `${principal.name} may not be a data plane of ${namespace}`
    if (principal.service === null) return null
    if (principal.service !== service) return `${principal.name} may only be a data plane of ${principal.service}`
    // The account decides which certificate it is given.
    return account === '' || account === service ? null : `${principal.name} may not have the account ${account}`
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return error.message
  }
}

function byCertificate(trustDomain: string, { namespace, account, service }: Applicant, certificate: PeerCertificate) {
  const wanted = `spiffe://${trustDomain}/ns/${namespace}/sa/${account === '' ? service : account}`
  const names = (certificate.subjectaltname ?? '').split(', ')
  return names.includes(`URI:${wanted}`) ? null : `its certificate is not of ${wanted}`
}
