/**
 * The RequestAuthentications that hold for one data plane: whose tokens its door takes.
 *
 * Invariant: keys that could not be had leave the rule in force with a key that nobody has, so that tokens of that issuer
 * are refused until they can be checked.
 */

import {
  type JwtRule,
  type RequestAuthenticationSpec,
  requestAuthentication,
} from '../../resources/request-authentication.js'
import type { FetchedKeys } from '../../state/mesh-source.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Authentication, TokenRule } from '../listener-nouns.js'
import { keep, type Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import type { Origin } from '../nouns.js'
import { holdsFor } from './policy-target.js'

export interface CompiledAuthentication {
  authentication: Authentication | null
  findings: MeshFinding[]
}

export function authenticationFor(mesh: Mesh, node: MeshNode): CompiledAuthentication {
  const policies = mesh.kinds
    .of(requestAuthentication)
    .filter((policy) => policy.spec.jwtRules.length > 0 && holdsFor(mesh, policy, node))
  if (policies.length === 0) return { authentication: null, findings: [] }
  const names = policies.map(({ resource: { metadata } }) => `${metadata.namespace}/${metadata.name}`)
  return keep(mesh, `tokens by ${names.join(' ')}`, () => compileTokens(mesh, policies))
}

/** One for all workloads under the same policies. */
function compileTokens(mesh: Mesh, policies: Parsed<RequestAuthenticationSpec>[]): CompiledAuthentication {
  const findings: MeshFinding[] = []
  const tokens = policies.flatMap(({ resource, spec }) =>
    spec.jwtRules.map((rule, index) => {
      const origin = originOf(resource, `spec.jwtRules[${index}]`)
      return tokenRule(rule, keysOf(mesh, rule, origin, findings))
    }),
  )
  return { authentication: { tokens, origins: policies.map(({ resource }) => originOf(resource, 'spec')) }, findings }
}

/** Scopes are words with spaces between them (RFC 8693, section 4.2). */
const listClaims = ['scope', 'permission']

function tokenRule(rule: JwtRule, keys: string): TokenRule {
  const { issuer, audiences = [], fromHeaders = [], fromParams = [], fromCookies = [] } = rule
  return {
    issuer,
    audiences,
    keys,
    from: { headers: fromHeaders, params: fromParams, cookies: fromCookies },
    forward: rule.forwardOriginalToken,
    payloadHeader: rule.outputPayloadToHeader ?? null,
    claimHeaders: rule.outputClaimToHeaders,
    listClaims: [...new Set([...listClaims, ...rule.spaceDelimitedClaims])],
  }
}

/** Where the keys of a rule are fetched; null: it has them itself. */
export function keySourceOf({ issuer, jwks, jwksUri }: Pick<JwtRule, 'issuer' | 'jwks' | 'jwksUri'>): string | null {
  if (jwks !== undefined) return null
  return jwksUri ?? `${issuer.replace(/\/$/, '')}${discoveryPath}`
}

/** Of OpenID Connect Discovery: a document that says where the keys are. */
export const discoveryPath = '/.well-known/openid-configuration'

function keysOf({ keySets }: Mesh, rule: JwtRule, origin: Origin, findings: MeshFinding[]): string {
  const source = keySourceOf(rule)
  if (source === null) return rule.jwks ?? nobodysKeys
  if (keySets === null) return nobodysKeys
  const { keys, fault } = keySets.get(source) ?? notYetFetched
  if (fault !== null) findings.push(faultFinding(rule.issuer, source, keys, fault, origin))
  return keys ?? nobodysKeys
}

const notYetFetched: FetchedKeys = { keys: null, fault: 'they have not come yet' }

function faultFinding(issuer: string, source: string, keys: string | null, fault: string, origin: Origin): MeshFinding {
  const hint = 'the control plane asks again by itself; see that it reaches the address, or write the keys under jwks'
  const about = { code: 'WEFT_MESH_REFERENCE' as const, origin, hint }
  const failed = `the keys of ${issuer} cannot be had from ${source} (${fault})`
  if (keys !== null) return { severity: 'warning', message: `${failed}: the last good ones stay in force`, ...about }
  return { severity: 'error', message: `${failed}: its tokens are refused until they can be`, ...about, stops: true }
}

/** A point of the curve P-256 that was found by hashing a sentence: nobody knows the private key. */
const nobodysKeys = JSON.stringify({
  keys: [
    {
      kty: 'EC',
      crv: 'P-256',
      alg: 'ES256',
      kid: 'nobody',
      x: 'zVHttSZSjNLXJgus7ZO_cpPVpt_KErKFo2c3rNDcWcg',
      y: 'zmU2xxAl02LURcPVawCgyWTOPmQORHGbVXrT4JNB8HY',
    },
  ],
})
