/** Whose tokens a listener takes, as Envoy's filter for JSON Web Tokens. What a good one says is left for authorization. */
import {
  type JwtAuthenticationJson,
  JwtAuthenticationSchema,
  type JwtProviderJson,
  type JwtRequirementJson,
} from '../../xds/protos/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import type { HttpFilterJson } from '../../xds/protos/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { Authentication, TokenRule } from '../listener-nouns.js'
import { pack, present, typeUrl } from './any.js'
import type { NamedFilter } from './named-filter.js'
import { fromAds } from './tls.js'

/** The filter's name; the claims of a token stand in the metadata of that name. */
export const tokenFilter = 'envoy.filters.http.jwt_authn'
export const payloadKey = 'payload'

/** Its configuration comes apart from the listener (ECDS): a change is in force on connections that are open as well. */
export const tokenFilterSlot: HttpFilterJson = {
  name: tokenFilter,
  configDiscovery: { configSource: fromAds, typeUrls: [typeUrl(JwtAuthenticationSchema)] },
}

const made = new WeakMap<Authentication, NamedFilter>()
const nothingAsked: NamedFilter = { name: tokenFilter, config: pack(JwtAuthenticationSchema, {}), origins: [] }

/** One for all workloads under the same policies; null: every request passes. */
export function authenticationFilter(authentication: Authentication | null): NamedFilter {
  if (authentication === null) return nothingAsked
  const config = () => pack(JwtAuthenticationSchema, authenticationJson(authentication))
  const filter = made.get(authentication) ?? { name: tokenFilter, config: config(), origins: authentication.origins }
  made.set(authentication, filter)
  return filter
}

function authenticationJson({ tokens }: Authentication): JwtAuthenticationJson {
  const named = tokens.map((rule, index) => ({ providerName: `rule-${index}`, rule }))
  const groups = sharingPlaces(named).map((group): JwtRequirementJson => {
    const requirements = group.map(({ providerName }) => ({ providerName }))
    return { requiresAny: { requirements: [...requirements, { allowMissing: {} }] } }
  })
  const [only = {}] = groups
  const requires = groups.length === 1 ? only : { requiresAll: { requirements: groups } }
  return {
    providers: Object.fromEntries(named.map(({ providerName, rule }) => [providerName, provider(rule)])),
    rules: [{ match: { prefix: '/' }, requires }],
    bypassCorsPreflight: true,
  }
}

interface NamedRule {
  providerName: string
  rule: TokenRule
}

/**
 * Rules that look for tokens in the same places: there a token may be of any of them. What stands in another place is
 * checked as well, so that no bad token reaches the application beside a good one.
 */
function sharingPlaces(rules: NamedRule[]): NamedRule[][] {
  let groups: { places: Set<string>; rules: NamedRule[] }[] = []
  for (const named of rules) {
    const places = placesOf(named.rule)
    const touching = groups.filter((group) => places.some((place) => group.places.has(place)))
    const joined = {
      places: new Set([...touching.flatMap((group) => [...group.places]), ...places]),
      rules: [...touching.flatMap((group) => group.rules), named],
    }
    groups = [...groups.filter((group) => !touching.includes(group)), joined]
  }
  return groups.map((group) => group.rules)
}

function placesOf({ from: { headers, params, cookies } }: TokenRule): string[] {
  const places = [
    ...headers.map(({ name }) => `header ${name.toLowerCase()}`),
    ...params.map((name) => `param ${name}`),
    ...cookies.map((name) => `cookie ${name}`),
  ]
  return places.length > 0 ? places : ['header authorization', 'param access_token']
}

function provider(rule: TokenRule): JwtProviderJson {
  const { issuer, audiences, keys, from, forward, claimHeaders } = rule
  return present<JwtProviderJson>({
    issuer,
    audiences: some(audiences),
    localJwks: { inlineString: keys },
    forward,
    fromHeaders: some(from.headers.map(({ name, prefix }) => ({ name, valuePrefix: prefix }))),
    fromParams: some(from.params),
    fromCookies: some(from.cookies),
    forwardPayloadHeader: rule.payloadHeader,
    claimToHeaders: some(claimHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim }))),
    payloadInMetadata: payloadKey,
    normalizePayloadInMetadata: { spaceDelimitedClaims: rule.listClaims },
  })
}

function some<Item>(list: Item[]): Item[] | null {
  return list.length === 0 ? null : list
}
