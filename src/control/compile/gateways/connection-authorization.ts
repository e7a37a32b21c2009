/**
 * Authorization of connections that nobody looks into: what a rule asks of a request cannot be answered there. A DENY rule
 * then denies whatever the request might be, and an ALLOW rule allows nothing (as in Istio): never more than was meant.
 */
import { describeOrigin, type MeshFinding } from '../finding.js'
import type { Authorization, AuthorizationRule, Condition } from '../nouns.js'

export interface ConnectionAuthorization {
  authorization: Authorization
  findings: MeshFinding[]
}

export function forConnections({ deny, allow, origins }: Authorization): ConnectionAuthorization {
  const narrowed = (rules: AuthorizationRule[], unknown: boolean) =>
    rules.map(({ name, condition }) => ({ name, condition: withUnknown(condition, unknown) }))
  const asking = [...deny, ...(allow ?? [])].filter(({ condition }) => asksOfRequest(condition))
  const findings = origins.flatMap((origin): MeshFinding[] => {
    const rule = asking.find(({ name }) => name.startsWith(`${describeOrigin(origin)} `))
    if (rule === undefined) return []
    const what = deny.includes(rule) ? 'denies' : 'allows none of'
    const message = `${rule.name} asks of requests, so it ${what} the connections of a TLSRoute or TCPRoute at this gateway`
    const hint = 'give those a gateway of their own, or ask for ipBlocks, ports and connection.sni'
    return [{ severity: 'warning', code: 'WEFT_MESH_UNSUPPORTED', origin, message, hint }]
  })
  const authorization = {
    deny: narrowed(deny, true),
    allow: allow === null ? null : narrowed(allow, false),
    origins,
  }
  return { authorization, findings }
}

const always: Condition = { always: true }
const never: Condition = { not: always }

/** `unknown` is the answer to what cannot be asked; below a `not` it is the other one. */
function withUnknown(condition: Condition, unknown: boolean): Condition {
  if ('all' in condition) return { all: condition.all.map((one) => withUnknown(one, unknown)) }
  if ('any' in condition) return { any: condition.any.map((one) => withUnknown(one, unknown)) }
  if ('not' in condition) return { not: withUnknown(condition.not, !unknown) }
  if (!asksOfRequest(condition)) return condition
  return unknown ? always : never
}

function asksOfRequest(condition: Condition): boolean {
  if ('all' in condition) return condition.all.some(asksOfRequest)
  if ('any' in condition) return condition.any.some(asksOfRequest)
  if ('not' in condition) return asksOfRequest(condition.not)
  return 'header' in condition || 'path' in condition || 'claim' in condition
}
