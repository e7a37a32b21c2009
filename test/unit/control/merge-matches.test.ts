import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeMatches } from '../../../src/control/compile/routes/merge-matches.js'
import { type VirtualServiceMatch, virtualService } from '../../../src/control/resources/virtual-service.js'

type Written = Record<string, unknown>

function matches(...match: Written[]): VirtualServiceMatch[] {
  const route = [{ destination: { host: 'a' } }]
  return virtualService.spec.parse({ hosts: ['a'], http: [{ match, route }] }).http[0]?.match ?? []
}

const merge = (root: Written[], own: Written[]) => mergeMatches(matches(...root), matches(...own))

describe('a match of a delegate', () => {
  it.each([
    ['a longer prefix', { uri: { prefix: '/a' } }, { uri: { prefix: '/a/b' } }],
    ['a whole path', { uri: { prefix: '/a' } }, { uri: { exact: '/abc' } }],
    ['the same path', { uri: { exact: '/a' } }, { uri: { exact: '/a' } }],
    ['a regular expression where the other says nothing', { method: { exact: 'GET' } }, { uri: { regex: '/a.*' } }],
    ['a value of a header that only must be there', { headers: { x: {} } }, { headers: { x: { exact: '1' } } }],
    ['another header', { headers: { x: {} } }, { headers: { y: { exact: '1' } } }],
    ['the same port', { port: 80 }, { port: 80, uri: { prefix: '/' } }],
  ])('may ask for %s', (_, root, own) => expect(merge([root], [own]).conflict).toBeNull())

  it.each([
    ['a shorter prefix', { uri: { prefix: '/a/b' } }, { uri: { prefix: '/a' } }],
    ['a prefix of a whole path', { uri: { exact: '/a' } }, { uri: { prefix: '/a' } }],
    ['a regular expression within a prefix', { uri: { prefix: '/a' } }, { uri: { regex: '/a.*' } }],
    ['another method', { method: { exact: 'GET' } }, { method: { exact: 'PUT' } }],
    ['any value of a header', { headers: { x: { exact: '1' } } }, { headers: { x: {} } }],
    ['another text that must not be there', { withoutHeaders: { x: {} } }, { withoutHeaders: { x: { exact: '1' } } }],
    ['any case', { uri: { prefix: '/a' } }, { uri: { prefix: '/a' }, ignoreUriCase: true }],
    ['another port', { port: 80 }, { port: 81 }],
  ])('may not ask for %s', (_, root, own) => expect(merge([root], [own]).conflict).toBe(0))

  it('is joined with each match of the rule that it is a part of', () => {
    const { merged, conflict } = merge(
      [{ uri: { prefix: '/a' }, name: 'one' }, { uri: { prefix: '/b' } }, { headers: { x: {} } }],
      [{ uri: { prefix: '/a/x' }, name: 'own' }],
    )
    expect(conflict).toBeNull()
    expect(merged.map(({ name, uri, headers }) => ({ name, uri, headers }))).toEqual([
      { name: 'one-own', uri: { prefix: '/a/x' }, headers: {} },
      { name: 'own', uri: { prefix: '/a/x' }, headers: { x: {} } },
    ])
  })
})

interface Request {
  path: string
  method: string
  headers: Record<string, string>
}

function takes(match: VirtualServiceMatch, { path, method, headers }: Request): boolean {
  const fits = (text: VirtualServiceMatch['headers'][string] | undefined, value: string | undefined) => {
    if (text === undefined) return true
    if (value === undefined) return false
    return text.exact === undefined ? value.startsWith(text.prefix ?? '') : text.exact === value
  }
  return (
    fits(match.uri, path) &&
    fits(match.method, method) &&
    Object.entries(match.headers).every(([name, text]) => fits(text, headers[name])) &&
    Object.entries(match.withoutHeaders).every(([name, text]) => !fits(text, headers[name]))
  )
}

it('takes what both take, and nothing that the rule does not send', () => {
  const path = fc.constantFrom('/', '/a', '/a/b', '/a/bc', '/d')
  const text = fc.oneof(
    path.map((exact) => ({ exact })),
    path.map((prefix) => ({ prefix })),
  )
  const header = fc.constantFrom({}, { exact: '1' }, { exact: '12' }, { prefix: '1' })
  const headers = fc.dictionary(fc.constantFrom('x', 'y'), header)
  const match = fc.record(
    { uri: text, method: fc.constantFrom({ exact: 'GET' }, { exact: 'PUT' }), headers, withoutHeaders: headers },
    { requiredKeys: [] },
  )
  const request = fc.record({
    path,
    method: fc.constantFrom('GET', 'PUT'),
    headers: fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('1', '12', '2')),
  })
  fc.assert(
    fc.property(match, match, fc.array(request, { minLength: 5 }), (root, own, requests) => {
      const { merged, conflict } = merge([root], [own])
      if (conflict !== null) return
      const [wide, narrow] = [matches(root), matches(own)]
      for (const one of requests) {
        const both = [...wide, ...narrow].every((each) => takes(each, one))
        expect(merged.some((each) => takes(each, one))).toBe(both)
      }
    }),
  )
})
