/**
 * The AuthorizationPolicies that hold for one data plane, as conditions on a request (Istio's order: whom a CUSTOM rule
 * that matches asks must agree; a DENY rule that matches refuses; without an ALLOW policy all else is allowed; with one,
 * some ALLOW rule must match). AUDIT rules, and those of a dry run, are recorded and decide nothing.
 */
import {
  type AuthorizationPolicySpec,
  type AuthorizationRule,
  authorizationPolicy,
  dryRunAnnotation,
} from '../../resources/authorization-policy.js'
import { describeOrigin, originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import type { Authorization, Condition, Decisions, AuthorizationRule as RuleNoun, TextMatch } from '../nouns.js'
import { escapeRegex } from '../routes/http-routes.js'
import { authorizerOf, authorizersAtMost } from './authorizers.js'
import { holdsFor } from './policy-target.js'
import { authenticationFor } from './request-authentication.js'
import { authCondition, requestPrincipal } from './token-conditions.js'

export function authorizationFor(mesh: Mesh, node: MeshNode): Authorization | null {
  const policies = mesh.kinds.of(authorizationPolicy).filter((policy) => holdsFor(mesh, policy, node))
  if (policies.length === 0) return null
  const { authentication } = authenticationFor(mesh, node)
  const context = { mesh, issuers: [...new Set(authentication?.tokens.map(({ issuer }) => issuer))] }
  const decisions = (list: Policy[]): Decisions => {
    const allowing = list.filter(({ spec }) => spec.action === 'ALLOW')
    return { deny: rules('DENY', list), allow: allowing.length === 0 ? null : rules('ALLOW', allowing) }
  }
  const rules = (action: AuthorizationPolicySpec['action'], list: Policy[]) =>
    list.filter(({ spec }) => spec.action === action).flatMap((policy) => ruleNouns(context, policy))
  const inForce = policies.filter((policy) => !isDryRun(policy))
  const { custom, unasked } = askedOf(
    mesh,
    inForce.filter(({ spec }) => spec.action === 'CUSTOM'),
    (policy) => ruleNouns(context, policy),
  )
  const { deny, allow } = decisions(inForce)
  return {
    audit: rules('AUDIT', inForce),
    custom,
    deny: [...unasked, ...deny],
    allow,
    dryRun: decisions(policies.filter(isDryRun)),
    origins: policies.map(({ resource }) => originOf(resource, 'spec')),
  }
}

type Policy = Parsed<AuthorizationPolicySpec>

function isDryRun({ resource }: Policy): boolean {
  return resource.metadata.annotations[dryRunAnnotation] === 'true'
}

/** By provider. Where there is none of that name, or no place for it, the rules refuse what they would have asked about. */
function askedOf(mesh: Mesh, policies: Policy[], rulesOf: (policy: Policy) => RuleNoun[]) {
  const names = [...new Set(policies.map(({ spec }) => spec.provider?.name ?? ''))]
  const custom: Authorization['custom'] = []
  const unasked: RuleNoun[] = []
  for (const name of names) {
    const rules = policies.filter(({ spec }) => spec.provider?.name === name).flatMap(rulesOf)
    const found = authorizerOf(mesh, name)
    if (found === null || custom.length === authorizersAtMost) unasked.push(...rules)
    else custom.push({ authorizer: found.authorizer, rules })
  }
  return { custom, unasked }
}

interface RuleContext {
  mesh: Mesh
  /** Whose tokens the door takes. */
  issuers: readonly string[]
}

function ruleNouns(context: RuleContext, { resource, spec }: Policy): RuleNoun[] {
  const owner = describeOrigin(originOf(resource, ''))
  const { namespace } = resource.metadata
  return spec.rules.map((rule, index) => ({
    name: `${owner} rules[${index}]`,
    condition: ruleCondition(context, namespace, rule),
  }))
}

function ruleCondition(context: RuleContext, namespace: string, { from, to, when }: AuthorizationRule): Condition {
  const parts: Condition[] = [
    ...(from === undefined ? [] : [{ any: from.map(({ source }) => sourceCondition(context, namespace, source)) }]),
    ...(to === undefined ? [] : [{ any: to.map(({ operation }) => operationCondition(operation)) }]),
    ...(when ?? []).map(({ key, values, notValues }) =>
      both(values, notValues, (value) => keyCondition(context, key, value)),
    ),
  ]
  return all(parts)
}

type Source = NonNullable<AuthorizationRule['from']>[number]['source']
type Operation = NonNullable<AuthorizationRule['to']>[number]['operation']

function sourceCondition({ mesh, issuers }: RuleContext, namespace: string, source: Source): Condition {
  const principal = (text: string): Condition => ({ principal: spiffe(text) })
  return all([
    both(source.principals, source.notPrincipals, principal),
    both(source.requestPrincipals, source.notRequestPrincipals, (text) => requestPrincipal(issuers, pattern(text))),
    both(source.namespaces, source.notNamespaces, inNamespace),
    both(source.serviceAccounts, source.notServiceAccounts, (text) => account(mesh, namespace, text)),
    both(source.ipBlocks, source.notIpBlocks, (cidr) => ({ connectionCidr: cidr })),
    both(source.remoteIpBlocks, source.notRemoteIpBlocks, (cidr) => ({ clientCidr: cidr })),
    both(source.trustDomains, source.notTrustDomains, (domain) => ({ principal: { prefix: `spiffe://${domain}/` } })),
  ])
}

function operationCondition(operation: Operation): Condition {
  return all([
    both(operation.hosts, operation.notHosts, hostCondition),
    both(operation.ports, operation.notPorts, (port) => ({ port: Number(port) })),
    both(operation.methods, operation.notMethods, (method) => ({ header: { name: ':method', ...pattern(method) } })),
    both(operation.paths, operation.notPaths, (path) => ({ path: pattern(path) })),
  ])
}

function keyCondition({ issuers }: RuleContext, key: string, value: string): Condition {
  const header = /^request\.headers\[(.+)\]$/.exec(key)?.[1]
  if (header !== undefined) return { header: { name: header.toLowerCase(), ...pattern(value) } }
  const conditions: Record<string, () => Condition> = {
    'source.ip': () => ({ connectionCidr: value }),
    'source.namespace': () => inNamespace(value),
    'source.principal': () => ({ principal: spiffe(value) }),
    'remote.ip': () => ({ clientCidr: value }),
    'destination.ip': () => ({ destinationCidr: value }),
    'destination.port': () => ({ port: Number(value) }),
    'connection.sni': () => ({ serverName: pattern(value) }),
  }
  return conditions[key]?.() ?? authCondition(issuers, key, pattern(value)) ?? { not: { always: true } }
}

/** Hosts are compared without their port and in any case: a client may write them as it likes. */
function hostCondition(host: string): Condition {
  const match = pattern(host)
  const authority = (one: TextMatch): Condition => ({ header: { name: ':authority', ignoreCase: true, ...one } })
  if ('exact' in match) return { any: [authority(match), authority({ prefix: `${match.exact}:` })] }
  if ('suffix' in match)
    return { any: [authority(match), authority({ regex: `(?i).*${escapeRegex(match.suffix)}:[0-9]+` })] }
  return authority(match)
}

/** `trust-domain/ns/x/sa/y` as people write it, as the URI that stands in the certificate. */
function spiffe(text: string): TextMatch {
  const match = pattern(text)
  if ('exact' in match) return { exact: `spiffe://${match.exact}` }
  return 'prefix' in match ? { prefix: `spiffe://${match.prefix}` } : match
}

function inNamespace(text: string): Condition {
  const match = pattern(text)
  const name =
    'exact' in match
      ? escapeRegex(match.exact)
      : 'prefix' in match
        ? `${escapeRegex(match.prefix)}[^/]*`
        : 'suffix' in match
          ? `[^/]*${escapeRegex(match.suffix)}`
          : '[^/]+'
  return { principal: { regex: `spiffe://[^/]+/ns/${name}/sa/.+` } }
}

/** `account`, or `namespace/account`. */
function account(mesh: Mesh, namespace: string, text: string): Condition {
  const [first = '', second] = text.split('/')
  const [ns, name] = second === undefined ? [namespace, first] : [first, second]
  return { principal: { exact: `spiffe://${mesh.options.trustDomain}/ns/${ns}/sa/${name}` } }
}

/** `*` is presence, `text*` a prefix, `*text` a suffix, all else exact. */
function pattern(text: string): TextMatch {
  if (text === '*') return { present: true }
  if (text.endsWith('*')) return { prefix: text.slice(0, -1) }
  return text.startsWith('*') ? { suffix: text.slice(1) } : { exact: text }
}

function both(
  values: string[] | undefined,
  notValues: string[] | undefined,
  condition: (value: string) => Condition,
): Condition {
  const yes: Condition[] = values === undefined ? [] : [{ any: values.map(condition) }]
  const no: Condition[] = notValues === undefined ? [] : [{ not: { any: notValues.map(condition) } }]
  return all([...yes, ...no])
}

function all(conditions: Condition[]): Condition {
  const telling = conditions.filter((condition) => !('always' in condition))
  const [only] = telling
  if (only === undefined) return { always: true }
  return telling.length === 1 ? only : { all: telling }
}
