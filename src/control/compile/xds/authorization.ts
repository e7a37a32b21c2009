/** Authorization as Envoy's RBAC: one filter that denies, one that allows, both set by the route configuration. */
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import type { CidrRangeJson } from '../../xds/protos/envoy/config/core/v3/address_pb.js'
import type {
  PermissionJson,
  PolicyJson,
  PrincipalJson,
  RBAC_ActionJson,
  RBACJson,
} from '../../xds/protos/envoy/config/rbac/v3/rbac_pb.js'
import { RBACPerRouteSchema } from '../../xds/protos/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import type { ValueMatcherJson } from '../../xds/protos/envoy/type/matcher/v3/value_pb.js'
import type { Authorization, AuthorizationRule, Condition, TextMatch } from '../nouns.js'
import { pack } from './any.js'
import { payloadKey, tokenFilter } from './authentication.js'
import { headerMatcher, stringMatcher } from './match.js'

export const denyFilter = 'weft.deny'
export const allowFilter = 'weft.allow'

/** By the name of the filter; a filter that is not named stays off. */
export function authorizationByFilter(authorization: Authorization | null): Record<string, AnyJson> {
  if (authorization === null) return {}
  const { deny, allow } = authorization
  return {
    ...(deny.length === 0 ? {} : { [denyFilter]: perRoute('DENY', deny) }),
    ...(allow === null ? {} : { [allowFilter]: perRoute('ALLOW', allow) }),
  }
}

function perRoute(action: RBAC_ActionJson, rules: AuthorizationRule[]): AnyJson {
  return pack(RBACPerRouteSchema, { rbac: { rules: rbacRules(action, rules) } })
}

export function rbacRules(action: RBAC_ActionJson, rules: AuthorizationRule[]): RBACJson {
  return { action, policies: Object.fromEntries(rules.map(({ name, condition }) => [name, policy(condition)])) }
}

/** A policy is a list of permissions AND a list of principals: each part of the condition goes where it can stand. */
function policy(condition: Condition): PolicyJson {
  const parts = 'all' in condition ? condition.all : [condition]
  const who = parts.filter(isAboutSource)
  const what = parts.filter((part) => !isAboutSource(part))
  const permissions: PermissionJson[] = [
    what.length === 0 ? { any: true } : { andRules: { rules: what.map(permission) } },
  ]
  const principals: PrincipalJson[] = [who.length === 0 ? { any: true } : { andIds: { ids: who.map(principal) } }]
  return { permissions, principals }
}

function isAboutSource(condition: Condition): boolean {
  if ('all' in condition) return condition.all.some(isAboutSource)
  if ('any' in condition) return condition.any.some(isAboutSource)
  if ('not' in condition) return isAboutSource(condition.not)
  return ['principal', 'claim', 'clientCidr', 'connectionCidr'].some((kind) => kind in condition)
}

function permission(condition: Condition): PermissionJson {
  if ('all' in condition) return { andRules: { rules: condition.all.map(permission) } }
  if ('any' in condition) return { orRules: { rules: condition.any.map(permission) } }
  if ('not' in condition) return { notRule: permission(condition.not) }
  if ('header' in condition) return { header: headerMatcher(condition.header) }
  if ('path' in condition) {
    const path = stringMatcher(condition.path)
    return path === null ? { any: true } : { urlPath: { path } }
  }
  if ('port' in condition) return { destinationPort: condition.port }
  if ('destinationCidr' in condition) return { destinationIp: cidrRange(condition.destinationCidr) }
  if ('serverName' in condition) return { requestedServerName: stringMatcher(condition.serverName) ?? { prefix: '' } }
  return { any: true }
}

function principal(condition: Condition): PrincipalJson {
  if ('all' in condition) return { andIds: { ids: condition.all.map(principal) } }
  if ('any' in condition) return { orIds: { ids: condition.any.map(principal) } }
  if ('not' in condition) return { notId: principal(condition.not) }
  if ('principal' in condition) {
    const name = stringMatcher(condition.principal)
    return { authenticated: name === null ? {} : { principalName: name } }
  }
  if ('claim' in condition) {
    const { path, list, ...match } = condition.claim
    const keys = [payloadKey, ...path].map((key) => ({ key }))
    return {
      sourcedMetadata: { metadataMatcher: { filter: tokenFilter, path: keys, value: claimValue(match, list) } },
    }
  }
  if ('clientCidr' in condition) return { remoteIp: cidrRange(condition.clientCidr) }
  if ('connectionCidr' in condition) return { directRemoteIp: cidrRange(condition.connectionCidr) }
  return { any: true }
}

/** A claim may be a text or, as `aud`, one text or several. */
function claimValue(match: TextMatch, list: boolean): ValueMatcherJson {
  const text: ValueMatcherJson = { stringMatch: stringMatcher(match) ?? { safeRegex: { regex: '.+' } } }
  return list ? { orMatch: { valueMatchers: [text, { listMatch: { oneOf: text } }] } } : text
}

function cidrRange(text: string): CidrRangeJson {
  const [addressPrefix = '', length] = text.split('/')
  return { addressPrefix, prefixLen: length === undefined ? (addressPrefix.includes(':') ? 128 : 32) : Number(length) }
}
