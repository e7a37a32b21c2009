/** What each data plane says to what it was sent, told in terms of the resources that people wrote. */

import type { Code } from '../../errors.js'
import type { MeshFinding } from '../compile/finding.js'
import { describeOrigin } from '../compile/finding.js'
import type { MeshNode } from '../compile/mesh/node.js'
import type { Origin } from '../compile/nouns.js'
import type { Refusal } from './type-state.js'

export interface VerdictIssue {
  code: Code
  /** The mesh resource that is to blame; null where the data plane's own listener is. */
  origin: Origin | null
  message: string
}

export interface Verdict {
  node: string
  plane: MeshNode['plane']
  service: string
  namespace: string
  state: 'applied' | 'refused' | 'pending'
  /** The revision that it has answered for. */
  revision: number
  issues: readonly VerdictIssue[]
}

export function refusalIssues({ resource, message, lastGood }: Refusal): VerdictIssue[] {
  const good = new Set(lastGood?.pieces?.().map(({ text }) => text))
  const changed = resource.pieces().filter(({ text }) => !good.has(text))
  const blamed = blame(changed.length > 0 ? changed : resource.pieces(), message)
  const text = `refused ${resource.type} ${resource.name}: ${message}`
  const origins = [...new Map(blamed.map((origin) => [`${describeOrigin(origin)} ${origin.path}`, origin])).values()]
  if (origins.length === 0) return [{ code: 'WEFT_XDS_REFUSED', origin: null, message: text }]
  return origins.map((origin) => ({ code: 'WEFT_XDS_REFUSED', origin, message: text }))
}

/** Only what keeps a resource from being in force belongs to a verdict. */
export function findingIssues(findings: readonly MeshFinding[]): VerdictIssue[] {
  return findings.flatMap(({ code, origin, message, stops }) => (stops ? [{ code, origin, message }] : []))
}

/** The parts that a complaint is about: those that hold the rarest of its words. Where no word tells them apart, all. */
export function blame(pieces: readonly { origin: Origin; text: string }[], message: string): Origin[] {
  let best = pieces.map(({ origin }) => origin)
  for (const word of new Set(message.match(/[^\s'"`,;]{3,}/g) ?? [])) {
    const escaped = JSON.stringify(word).slice(1, -1)
    const holding = pieces.filter(({ text }) => text.includes(escaped))
    if (holding.length > 0 && holding.length < best.length) best = holding.map(({ origin }) => origin)
  }
  return best
}
