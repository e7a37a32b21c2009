import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Route, RouteMatch } from '../../../src/control/compile/nouns.js'
import { byPrecedence, covers, findShadowed } from '../../../src/control/compile/routes/order.js'
import { defaultRoute } from '../../../src/control/compile/routes/service-routes.js'

function route(name: string, match: Partial<RouteMatch>): Route {
  const plain = defaultRoute('c')
  return {
    ...plain,
    name,
    match: { ...plain.match, ...match },
    origin: { kind: 'HTTPRoute', namespace: 'default', name, path: 'spec' },
  }
}

const header = (name: string) => ({ name, exact: 'x' })

describe('the order of rules', () => {
  it('is exact path, regular expression, longest prefix, method, headers, query, then as they came', () => {
    const routes = [
      route('any', {}),
      route('query', { query: [header('q')] }),
      route('headers', { headers: [header('a')] }),
      route('more-headers', { headers: [header('a'), header('b')] }),
      route('method', { method: { exact: 'GET' } }),
      route('long', { path: { prefix: '/long/er' } }),
      route('short', { path: { prefix: '/lo' } }),
      route('regex', { path: { regex: '/.*' } }),
      route('exact', { path: { exact: '/' } }),
      route('any-later', {}),
    ]
    const names = byPrecedence(routes).map(({ name }) => name)
    expect(names).toEqual([
      'exact',
      'regex',
      'long',
      'short',
      'method',
      'more-headers',
      'headers',
      'query',
      'any',
      'any-later',
    ])
  })

  it('does not depend on the order in which rules of different rank are written', () => {
    const ranked = ['/a', '/a/b', '/a/b/c', '/a/b/c/d'].map((prefix) => route(prefix, { path: { prefix } }))
    fc.assert(
      fc.property(fc.shuffledSubarray(ranked, { minLength: ranked.length }), (shuffled) => {
        expect(byPrecedence(shuffled).map(({ name }) => name)).toEqual(['/a/b/c/d', '/a/b/c', '/a/b', '/a'])
      }),
    )
  })
})

describe('a rule that is never reached', () => {
  it.each([
    [{ path: { prefix: '/api' } }, { path: { prefix: '/api/v1' } }, true],
    [{ path: { prefix: '/api' } }, { path: { prefix: '/apis' } }, false],
    [{ path: { prefix: '/api/' } }, { path: { exact: '/api' } }, true],
    [{ path: { text: '/api' } }, { path: { prefix: '/apis' } }, true],
    [{ path: { prefix: '/' } }, { path: { regex: '/x.*' } }, true],
    [{ path: { prefix: '/a' } }, { path: { regex: '/a.*' } }, false],
    [{ path: { exact: '/a' } }, { path: { prefix: '/a' } }, false],
    [{ headers: [header('a')] }, { headers: [header('b'), header('a')] }, true],
    [{ headers: [header('a')] }, {}, false],
    [{ method: { exact: 'GET' } }, { method: { exact: 'POST' } }, false],
    [{}, { method: { exact: 'POST' }, query: [header('q')] }, true],
  ] as [Partial<RouteMatch>, Partial<RouteMatch>, boolean][])('%j covers %j: %s', (wide, narrow, expected) => {
    expect(covers(route('wide', wide).match, route('narrow', narrow).match)).toBe(expected)
  })

  it('is reported with the rule that takes its requests, and only once', () => {
    const findings = findShadowed([
      route('first', { path: { prefix: '/' } }),
      route('second', { path: { prefix: '/x' } }),
    ])
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({
      code: 'WEFT_MESH_SHADOWED',
      origin: { name: 'second' },
      message: expect.stringContaining('default/first'),
    })
  })
})
