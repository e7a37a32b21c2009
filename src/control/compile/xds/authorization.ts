/** Authorization as Envoy's RBAC: filters that record, that ask, that deny and that allow, all set by the route configuration. */
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import type { CidrRangeJson } from '../../xds/protos/envoy/config/core/v3/address_pb.js'
import type {
  PermissionJson,
  PolicyJson,
  PrincipalJson,
  RBAC_ActionJson,
  RBACJson,
} from '../../xds/protos/envoy/config/rbac/v3/rbac_pb.js'
import {
  type RBACJson as FilterJson,
  RBACPerRouteSchema,
  RBACSchema,
} from '../../xds/protos/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import type { ValueMatcherJson } from '../../xds/protos/envoy/type/matcher/v3/value_pb.js'
import type { Authorization, AuthorizationRule, Condition, TextMatch } from '../nouns.js'
import { authorizersAtMost } from '../policies/authorizers.js'
import { pack } from './any.js'
import { payloadKey, tokenFilter } from './authentication.js'
import { authorizerFilter } from './authorizers.js'
import { chosenFilters } from './chosen-filters.js'
import { headerMatcher, stringMatcher } from './match.js'

export const auditFilter = 'weft.audit'
export const denyFilter = 'weft.deny'
export const allowFilter = 'weft.allow'

/** One place for each that may be asked: of several filters in a place, Envoy runs none after the first that waits. */
export const customFilters = Array.from({ length: authorizersAtMost }, (_, index) => `weft.custom-${index}`)

/** What Envoy writes before the names of what rules say that decide nothing, in statistics and in what logs can name. */
export const shadowPrefixes = {
  [auditFilter]: 'audit_',
  [denyFilter]: 'dry_run_deny_',
  [allowFilter]: 'dry_run_allow_',
}

/** By the name of the filter; a filter that is not named stays off. */
export function authorizationByFilter(authorization: Authorization | null): Record<string, AnyJson> {
  if (authorization === null) return {}
  const { audit, custom, deny, allow, dryRun } = authorization
  return {
    ...(audit.length === 0 ? {} : { [auditFilter]: perRoute(auditFilter, 'LOG', audit, audit) }),
    ...Object.fromEntries(
      custom.map((asked, index) => [customFilters[index], chosenFilters(askingFilters(asked, index))]),
    ),
    ...decisions(denyFilter, 'DENY', some(deny), some(dryRun.deny)),
    ...decisions(allowFilter, 'ALLOW', allow, dryRun.allow),
  }
}

/** Null: there are none. */
export type Rules = AuthorizationRule[] | null

export function some(rules: AuthorizationRule[]): Rules {
  return rules.length === 0 ? null : rules
}

type ShadowFilter = keyof typeof shadowPrefixes

function decisions(
  filter: ShadowFilter,
  action: RBAC_ActionJson,
  rules: Rules,
  watched: Rules,
): Record<string, AnyJson> {
  return rules === null && watched === null ? {} : { [filter]: perRoute(filter, action, rules, watched) }
}

function perRoute(filter: ShadowFilter, action: RBAC_ActionJson, rules: Rules, watched: Rules): AnyJson {
  return pack(RBACPerRouteSchema, { rbac: filterRules(shadowPrefixes[filter], action, rules, watched) })
}

/** Without rules the filter lets everything pass; what is watched is recorded and decides nothing. */
export function filterRules(prefix: string, action: RBAC_ActionJson, rules: Rules, watched: Rules): FilterJson {
  return {
    ...(rules === null ? {} : { rules: rbacRules(action, rules) }),
    ...(watched === null ? {} : { shadowRules: rbacRules(action, watched), shadowRulesStatPrefix: prefix }),
  }
}

/** One that finds out whether the rules match, and one that asks if they do. */
function askingFilters({ authorizer, rules }: Authorization['custom'][number], index: number) {
  const prefix = `custom_${index}_`
  return [
    { name: `rules ${authorizer.name}`, typedConfig: pack(RBACSchema, filterRules(prefix, 'DENY', null, rules)) },
    {
      name: authorizer.name,
      typedConfig: authorizerFilter(authorizer, { key: `${prefix}shadow_engine_result`, value: 'denied' }),
    },
  ]
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

export function cidrRange(text: string): CidrRangeJson {
  const [addressPrefix = '', length] = text.split('/')
  return { addressPrefix, prefixLen: length === undefined ? (addressPrefix.includes(':') ? 128 : 32) : Number(length) }
}
