import { describe, expect, it } from 'vitest'
import { forConnections } from '../../../src/control/compile/gateways/connection-authorization.js'
import type { Condition, TextMatch } from '../../../src/control/compile/nouns.js'
import { authCondition, nobody, requestPrincipal } from '../../../src/control/compile/policies/token-conditions.js'
import { undecided } from '../../kit/undecided.js'

type Claims = { iss: string; sub: string }

function holds(condition: Condition, claims: Claims): boolean {
  if ('all' in condition) return condition.all.every((one) => holds(one, claims))
  if ('any' in condition) return condition.any.some((one) => holds(one, claims))
  if ('not' in condition) return !holds(condition.not, claims)
  if ('always' in condition) return true
  if ('claim' in condition) {
    const { path, ...match } = condition.claim
    return matches(match, claims[path[0] as keyof Claims])
  }
  throw new Error('not about a token')
}

function matches(match: TextMatch, text: string): boolean {
  if ('exact' in match) return text === match.exact
  if ('prefix' in match) return text.startsWith(match.prefix)
  if ('suffix' in match) return text.endsWith(match.suffix)
  return text !== ''
}

describe('requestPrincipal', () => {
  it('matches as if issuer and subject were one text with a slash between them', () => {
    const texts = (length: number): string[] =>
      length === 0 ? [''] : texts(length - 1).flatMap((text) => ['a', 'b', '/'].map((letter) => text + letter))
    const some = [1, 2, 3].flatMap(texts)
    const issuers = ['a', 'a/b', 'a/', 'b/a/b']
    let matched = 0
    for (const text of [...some, ...texts(4)]) {
      for (const match of [{ exact: text }, { prefix: text }, { suffix: text }, { present: true } as const]) {
        const condition = requestPrincipal(issuers, match)
        for (const iss of issuers) {
          for (const sub of some) {
            const expected = matches(match, `${iss}/${sub}`)
            matched += expected ? 1 : 0
            if (holds(condition, { iss, sub }) !== expected)
              expect.unreachable(`${JSON.stringify(match)} on ${iss} and ${sub} should be ${expected}`)
          }
        }
      }
    }
    expect(matched).toBeGreaterThan(1_000)
  })

  it('matches nobody where no issuer is known', () => {
    expect(requestPrincipal([], { present: true })).toEqual(nobody)
    expect(requestPrincipal(['https://a'], { exact: 'https://b/x' })).toEqual(nobody)
  })
})

describe('authCondition', () => {
  it('reads nested claims, and knows nothing of other keys', () => {
    expect(authCondition([], 'request.auth.claims[a][b.c]', { exact: 'x' })).toEqual({
      claim: { path: ['a', 'b.c'], list: true, exact: 'x' },
    })
    expect(authCondition([], 'source.ip', { exact: 'x' })).toBeNull()
  })
})

describe('a connection that nobody looks into', () => {
  it('has no token: what asks of one allows nothing and denies all, whether an issuer is known or not', () => {
    for (const issuers of [[], ['https://a']]) {
      const principal = requestPrincipal(issuers, { exact: 'https://a/x' })
      for (const condition of [principal, { not: principal }]) {
        const rule = { name: 'AuthorizationPolicy default/a rules[0]', condition }
        const { authorization } = forConnections({ ...undecided, deny: [rule], allow: [rule] }, 'here')
        const answers = [...authorization.deny, ...(authorization.allow ?? [])].map((one) =>
          holds(one.condition, { iss: '', sub: '' }),
        )
        expect(answers).toEqual([true, false])
      }
    }
  })
})
