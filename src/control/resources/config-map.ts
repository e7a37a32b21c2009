/**
 * `ConfigMap` (core v1), of which one key has a meaning here: `ca.crt`, the authorities that a BackendTLSPolicy believes.
 *
 * What is wrong with certificates is said when the resource is applied; one that expires later stays where it is, because
 * others in the same text may hold on.
 */
import { X509Certificate } from 'node:crypto'
import * as z from 'zod'
import { splitPem } from '../ca/chain.js'
import { type ContentIssue, resourceKind } from './kind.js'

/** Every data plane that asks the service gets it. */
const maxCharacters = 262_144

export const configMap = resourceKind({
  apiVersions: ['v1'],
  kind: 'ConfigMap',
  content: 'data',
  notYet: ['binaryData', 'immutable'],
  spec: z.strictObject({ 'ca.crt': z.string().max(maxCharacters) }),
  check: ({ 'ca.crt': text }, nowMs) => authorityIssues(text, nowMs).map((issue) => ({ path: ['ca.crt'], ...issue })),
})

type TextIssue = Omit<ContentIssue, 'path'>

function authorityIssues(text: string, nowMs: number): TextIssue[] {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return [{ message: 'holds a private key', hint: 'leave it out, and replace that key: it has been shown' }]
  const pems = splitPem(text)
  if (pems.length === 0)
    return [{ message: 'holds no certificate', hint: 'PEM is needed: -----BEGIN CERTIFICATE-----' }]
  return pems.flatMap((pem, index) => certificateIssues(pem, index + 1, nowMs))
}

function certificateIssues(pem: string, number: number, nowMs: number): TextIssue[] {
  const certificate = read(pem)
  if (certificate === null)
    return [{ message: `certificate ${number} cannot be read`, hint: 'look for cut or changed lines' }]
  const { subject, ca, validTo } = certificate
  const named = `certificate ${number} (${subject.split('\n').join(', ')})`
  if (!ca) return [{ message: `${named} is no authority (CA:TRUE)`, hint: 'give the one that signed it' }]
  const endsMs = Date.parse(validTo)
  if (endsMs > nowMs) return []
  return [{ message: `${named} expired at ${new Date(endsMs).toISOString()}`, hint: 'leave it out' }]
}

function read(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null // the issue says so
  }
}

export type ConfigMapData = z.output<typeof configMap.spec>
