/** Rules of a VirtualService as routes, in the order of its list: that order is what its authors wrote. */

import {
  grpcStatuses,
  type VirtualServiceMatch,
  type VirtualServiceRule,
  type VirtualServiceSpec,
} from '../../resources/virtual-service.js'
import type { MeshResource } from '../../state/mesh-source.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import { resolveReference } from '../mesh/references.js'
import type { Fault, Forward, HeaderChange, Mirror, Retry, Rewrite, Route, RouteAction } from '../nouns.js'
import { type EffectiveRule, effectiveRules } from './delegates.js'
import { anyRequest, type CompiledRoutes, defaultRetry } from './http-routes.js'
import { ruleRedirect } from './redirects.js'
import { appliesTo, type Caller, isPartial } from './source.js'
import { routeMatch, textMatch } from './virtual-service-match.js'

export function virtualServiceRoutes(mesh: Mesh, route: Parsed<VirtualServiceSpec>, caller: Caller): CompiledRoutes {
  const { rules, findings } = effectiveRules(mesh, route)
  const parts = rules.map((rule) => ruleRoutes(mesh, rule, caller))
  const found = parts.flatMap((part) => part.findings)
  return { routes: parts.flatMap(({ routes }) => routes), findings: [...findings, ...found] }
}

function ruleRoutes(
  mesh: Mesh,
  { rule, name, place: { resource, path }, mirrors: mirrored, through }: EffectiveRule,
  caller: Caller,
): CompiledRoutes {
  const written = rule.match.map((match, i) => ({ match, i })).filter(({ match }) => appliesTo(match, caller))
  if (rule.match.length > 0 && written.length === 0) return { routes: [], findings: [] }
  const matches = rule.match.length === 0 ? [{ match: null, i: 0 }] : written
  const { action, findings } = ruleAction(mesh, resource, path, rule, caller)
  const mirrors = ruleMirrors(mesh, mirrored.resource, mirrored.path, rule)
  const routes = matches.map(
    ({ match, i }): Route => ({
      name: `${name}.${i}`,
      match: match === null ? anyRequest : routeMatch(match),
      action,
      timeoutMs: rule.timeout ?? 0,
      retry: ruleRetry(rule),
      requestHeaders: headerChange(rule.headers?.request),
      responseHeaders: headerChange(rule.headers?.response),
      rewrite: ruleRewrite(rule, match),
      mirror: mirrors.nouns,
      fault: ruleFault(rule),
      cors: ruleCors(rule),
      externalAuth: null,
      ...(match?.statPrefix === undefined ? {} : { statPrefix: match.statPrefix }),
      ...(match !== null && isPartial(match) ? { isPartial: true } : {}),
      origin: originOf(resource, path),
      ...(through === null ? {} : { through }),
    }),
  )
  return { routes, findings: [...findings, ...mirrors.findings] }
}

function ruleAction(
  mesh: Mesh,
  resource: MeshResource,
  path: string,
  rule: VirtualServiceRule,
  caller: Caller,
): { action: RouteAction; findings: MeshFinding[] } {
  if (rule.redirect !== undefined) return ruleRedirect(rule.redirect, caller, originOf(resource, `${path}.redirect`))
  if (rule.directResponse !== undefined) {
    const { status, body: { string = '', bytes } = {} } = rule.directResponse
    const respond =
      bytes === undefined ? { status, body: string } : { status, body: bytes, encoding: 'base64' as const }
    return { action: { respond }, findings: [] }
  }
  const findings: MeshFinding[] = []
  const only = rule.route.length === 1
  const forward = rule.route.flatMap(({ destination, weight, headers }, i): Forward[] => {
    const found = destinationCluster(mesh, resource, `${path}.route[${i}].destination`, destination)
    findings.push(...found.findings)
    if (weight === 0 && !only) return []
    const changes = { requestHeaders: headerChange(headers?.request), responseHeaders: headerChange(headers?.response) }
    return [{ cluster: found.cluster, weight: only ? 1 : weight, ...changes }]
  })
  return { action: forward.length === 0 ? { respond: { status: 503, body: '' } } : { forward }, findings }
}

type Destination = VirtualServiceRule['route'][number]['destination']

function destinationCluster(mesh: Mesh, resource: MeshResource, path: string, { host, subset, port }: Destination) {
  const { namespace } = resource.metadata
  return resolveReference(mesh, resource, path, { host, namespace, port: port?.number, subset })
}

function ruleMirrors(
  mesh: Mesh,
  resource: MeshResource,
  path: string,
  rule: VirtualServiceRule,
): { nouns: Mirror[]; findings: MeshFinding[] } {
  const single =
    rule.mirror === undefined
      ? []
      : [{ destination: rule.mirror, percentage: rule.mirrorPercentage ?? { value: 100 }, at: 'mirror' }]
  const several = rule.mirrors.map((mirror, i) => ({ ...mirror, at: `mirrors[${i}].destination` }))
  const found = [...single, ...several].map(({ destination, percentage, at }) => ({
    ...destinationCluster(mesh, resource, `${path}.${at}`, destination),
    percent: percentage.value,
  }))
  return {
    nouns: found.filter(({ findings }) => findings.length === 0).map(({ cluster, percent }) => ({ cluster, percent })),
    findings: found.flatMap(({ findings }) => findings),
  }
}

/** Istio's default list; a number in `retryOn` is a status code. */
const istioRetryOn = 'connect-failure,refused-stream,unavailable,cancelled,503'

function ruleRetry({ retries }: VirtualServiceRule): Retry | null {
  if (retries === undefined) return defaultRetry
  if (retries.attempts === 0) return null
  const words = (retries.retryOn === '' ? istioRetryOn : retries.retryOn).split(',').map((word) => word.trim())
  const statusCodes = words.filter((word) => /^\d{3}$/.test(word)).map(Number)
  const on = words.filter((word) => word !== '' && !/^\d{3}$/.test(word))
  if (statusCodes.length > 0 && !on.includes('retriable-status-codes')) on.push('retriable-status-codes')
  return {
    retries: retries.attempts,
    on,
    statusCodes,
    perTryTimeoutMs: retries.perTryTimeout ?? null,
    backoffBaseMs: retries.backoff ?? null,
    avoidPreviousEndpoints: retries.retryIgnorePreviousHosts,
    ...(retries.retryRemoteLocalities ? { leavesPriority: true } : {}),
  }
}

/** A rewritten uri replaces what was matched: the prefix, or the whole path where the match is exact. */
function ruleRewrite({ rewrite }: VirtualServiceRule, match: VirtualServiceMatch | null): Rewrite | null {
  if (rewrite === undefined) return null
  const { uri, authority, uriRegexRewrite } = rewrite
  const exact = match?.uri?.exact !== undefined
  const replaced = uri === undefined ? null : exact ? { full: uri } : { prefix: uri }
  const path =
    uriRegexRewrite === undefined ? replaced : { regex: uriRegexRewrite.match, substitution: uriRegexRewrite.rewrite }
  return { host: authority ?? null, path }
}

function ruleFault({ fault }: VirtualServiceRule): Fault | null {
  if (fault === undefined) return null
  const { delay, abort } = fault
  const percent = abort?.percentage.value ?? 0
  const status = abort?.httpStatus
  return {
    delay: delay === undefined ? null : { fixedMs: delay.fixedDelay, percent: delay.percentage.value },
    abort:
      abort === undefined
        ? null
        : status !== undefined
          ? { status, percent }
          : { grpcStatus: grpcStatuses.indexOf(abort.grpcStatus ?? 'UNAVAILABLE'), percent },
  }
}

function ruleCors({ corsPolicy }: VirtualServiceRule): Route['cors'] {
  if (corsPolicy === undefined) return null
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, maxAge = null, allowCredentials = null } = corsPolicy
  return {
    origins: allowOrigins.map((origin) => textMatch(origin)),
    methods: allowMethods,
    headers: allowHeaders,
    exposeHeaders,
    maxAgeMs: maxAge,
    credentials: allowCredentials,
  }
}

function headerChange(change: HeaderChange | undefined): HeaderChange | null {
  return change ?? null
}
