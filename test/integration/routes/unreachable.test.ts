/** What validation calls unreachable, the engine never chooses: over random tables and requests. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { shadowedRoutes } from '../../../src/config/checks/shadows.js'
import { config } from '../../../src/config/config.js'
import type { Question } from '../../../src/native/explanation.js'
import { loadAddon } from '../../../src/native/index.js'
import { explainRequest } from '../../../src/proxy/ask-engine.js'

const word = fc.constantFrom('a', 'b', 'ab')
const test = fc.oneof(
  fc.record({ exact: word }),
  fc.record({ prefix: word }),
  fc.record({ suffix: word }),
  fc.record({ present: fc.constant(true as const) }),
  fc.record({ absent: fc.constant(true as const) }),
)
const named = fc.tuple(fc.constantFrom('x', 'y'), test).map(([name, asks]) => ({ name, ...asks }))
const path = fc.oneof(
  fc.record({ prefix: fc.constantFrom('/', '/a', '/a/') }),
  fc.record({ exact: fc.constantFrom('/a', '/a/b') }),
  fc.record({ regex: fc.constantFrom('/.*', '/a.*') }),
)
const match = fc.record({
  path,
  method: fc.constantFrom('GET', 'POST', null),
  headers: fc.array(named, { maxLength: 2 }),
  query: fc.array(named, { maxLength: 1 }),
})
const routes = fc.array(
  fc.record({
    hosts: fc.array(fc.constantFrom('h', '*.h', '*'), { maxLength: 2 }),
    matches: fc.array(match, { maxLength: 3 }),
  }),
  { minLength: 2, maxLength: 6 },
)
const request = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  host: fc.constantFrom('h', 'a.h', 'other'),
  target: fc
    .tuple(fc.constantFrom('/', '/a', '/a/b', '/ab'), fc.option(word))
    .map(([path, x]) => (x === null ? path : `${path}?x=${x}`)),
  x: fc.option(word),
  y: fc.option(word),
})

it('a match that is called unreachable is never chosen', async () => {
  let shadows = 0
  const law = fc.asyncProperty(
    routes,
    fc.array(request, { minLength: 10, maxLength: 20 }),
    async (taking, requests) => {
      const resolved = config.parse({
        listeners: [{ name: 'edge', address: '127.0.0.1:0' }],
        routes: taking.map((route, at) => ({ name: `r${at}`, ...route, respond: {} })),
      })
      const findings = shadowedRoutes(
        resolved.routes.map((route, index) => ({ route, index })),
        ['edge'],
      )
      const unreachable = new Set(findings.map(({ path: [, route, , at] }) => `${route} ${at ?? 0}`))
      shadows += unreachable.size
      for (const { method, host, target, x, y } of requests) {
        const lines: [string, string | null][] = [
          ['host', host],
          ['x', x],
          ['y', y],
        ]
        const headers = lines.filter((line): line is [string, string] => line[1] !== null)
        const question: Question = { method, target, headers, client: '127.0.0.1', listener: null }
        const [answer] = await explainRequest(loadAddon(), resolved, 'config', question)
        const chosen = answer?.explanation?.rules[answer.explanation.chosen ?? -1]
        if (chosen !== undefined) expect(unreachable).not.toContain(`${chosen.routeIndex} ${chosen.matchIndex}`)
      }
    },
  )
  await fc.assert(law, { numRuns: 300 })
  // The law says nothing unless there were some.
  expect(shadows).toBeGreaterThan(50)
})
