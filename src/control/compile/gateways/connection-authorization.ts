/**
 * Authorization of connections that nobody looks into: what a rule asks of a request cannot be answered there. A DENY rule
 * then denies whatever the request might be, and an ALLOW rule allows nothing (as in Istio): never more than was meant. Nor
 * is anybody asked about connections: what a CUSTOM rule may match is denied.
 */
import { describeOrigin, type MeshFinding } from '../finding.js'
import type { Authorization, AuthorizationRule, Condition, Decisions, Origin } from '../nouns.js'

export interface ConnectionAuthorization {
  authorization: Authorization
  findings: MeshFinding[]
}

/** `which`: connections, as people would tell them from others. */
export function forConnections(policies: Authorization, which: string): ConnectionAuthorization {
  const { audit, custom, deny, allow, dryRun, origins } = policies
  const narrowed = (rules: AuthorizationRule[], unknown: boolean) =>
    rules.map(({ name, condition }) => ({ name, condition: withUnknown(condition, unknown) }))
  const decisions = ({ deny: denying, allow: allowing }: Decisions): Decisions => ({
    deny: narrowed(denying, true),
    allow: allowing === null ? null : narrowed(allowing, false),
  })
  const asking = custom.flatMap(({ rules }) => rules)
  const told: { rules: AuthorizationRule[]; what: string; hint: string }[] = [
    { rules: deny.filter(asksOfRequest), what: 'asks of requests, so it denies', hint: ofItsOwn },
    { rules: (allow ?? []).filter(asksOfRequest), what: 'asks of requests, so it allows none of', hint: ofItsOwn },
    { rules: asking, what: 'cannot be asked about, so it denies', hint: 'give those a policy of their own' },
    { rules: audit, what: 'records none of', hint: 'give those a policy of their own' },
  ]
  const findings = origins.flatMap((origin) => told.flatMap((one) => findingOf(origin, which, one)).slice(0, 1))
  const all = { deny: [...asking, ...deny], allow }
  return {
    authorization: { audit: [], custom: [], ...decisions(all), dryRun: decisions(dryRun), origins },
    findings,
  }
}

const ofItsOwn = 'give those a policy of their own, which asks for principals, ipBlocks, ports or connection.sni'

function findingOf(
  origin: Origin,
  which: string,
  { rules, what, hint }: { rules: AuthorizationRule[]; what: string; hint: string },
): MeshFinding[] {
  const rule = rules.find(({ name }) => name.startsWith(`${describeOrigin(origin)} `))
  if (rule === undefined) return []
  const message = `${rule.name} ${what} the connections ${which}`
  return [{ severity: 'warning', code: 'WEFT_MESH_UNSUPPORTED', origin, message, hint }]
}

const always: Condition = { always: true }
const never: Condition = { not: always }

/** `unknown` is the answer to what cannot be asked; below a `not` it is the other one. */
function withUnknown(condition: Condition, unknown: boolean): Condition {
  if ('all' in condition) return { all: condition.all.map((one) => withUnknown(one, unknown)) }
  if ('any' in condition) return { any: condition.any.map((one) => withUnknown(one, unknown)) }
  if ('not' in condition) return { not: withUnknown(condition.not, !unknown) }
  if (!isAboutRequest(condition)) return condition
  return unknown ? always : never
}

function asksOfRequest({ condition }: AuthorizationRule): boolean {
  return isAboutRequest(condition)
}

function isAboutRequest(condition: Condition): boolean {
  if ('all' in condition) return condition.all.some(isAboutRequest)
  if ('any' in condition) return condition.any.some(isAboutRequest)
  if ('not' in condition) return isAboutRequest(condition.not)
  return 'header' in condition || 'path' in condition || 'claim' in condition
}
