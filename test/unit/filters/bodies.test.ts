/** What a filter is shown of a body, and what the engine is told of what it made of it. */
import { expect, test } from 'vitest'
import { defineFilter, type FilterDefinition } from '../../../src/filters/definition.js'
import { readyFilter } from '../../../src/filters/load-filter.js'
import { type Kept, phases, phasesOf, runPhase } from '../../../src/filters/run-phase.js'

type OnRequestBody = NonNullable<FilterDefinition['onRequestBody']>
type OnResponseBody = NonNullable<FilterDefinition['onResponseBody']>

const silent = { info() {}, warn() {}, error() {} }
const requestText = 'POST /a?b\n10.0.0.7\nhttp\nhost: a\nx-old: 1\n'
const bytesOf = (text: string) => ({ bytes: Buffer.from(text), last: true })
const fresh = (): Kept => ({ state: undefined, request: null })

/** Bytes as text, for comparing. */
async function said(definition: FilterDefinition, phase: number, text: string | null, body: string, kept = fresh()) {
  const filter = await readyFilter(definition, undefined, silent)
  const outcome = await runPhase(filter, phase, text, kept, bytesOf(body))
  return Array.isArray(outcome) ? [outcome[0], Buffer.from(outcome[1]).toString()] : outcome
}

test('a whole body is read as bytes, text or JSON, and text or bytes take its place', async () => {
  const name = 'redact'
  const returns = (onRequestBody: OnRequestBody) =>
    said({ name, onRequestBody }, phases.requestBody, requestText, '{"a":"ä"}')
  expect(await returns(() => {})).toBeUndefined()
  expect(await returns((body) => body.text().toUpperCase())).toEqual(['', '{"A":"Ä"}'])
  expect(await returns((body) => body.data.subarray(0, 2))).toEqual(['', '{"'])
  expect(await returns((body) => (body.json() as { a: string }).a)).toEqual(['', 'ä'])
  expect(await returns(() => ({ status: 400, body: 'no' }))).toEqual(['!400\n', 'no'])
  expect(await returns(() => 7 as never)).toMatch(/^\?TypeError: it returned 7/)
  expect(await returns((body) => void JSON.parse(`${body.text()}x`))).toMatch(/^\?SyntaxError/)
})

test('with a whole body its head can be changed, and what was changed is what the answer shows', async () => {
  const kept = fresh()
  let seen: string | null | undefined
  const definition: FilterDefinition = {
    name: 'choose',
    onRequest: (request) => request.headers.set('x-old', '2'),
    onRequestBody({ request }) {
      request.headers.set('x-new', '1')
      request.useCluster('other')
      return 'short'
    },
    onResponse(response) {
      seen = response.request.headers.get('x-new')
    },
  }
  await said(definition, phases.requestHead, requestText, '', kept)
  expect(await said(definition, phases.requestBody, requestText, 'long', kept)).toEqual([
    '=x-new: 1\nc other\n',
    'short',
  ])
  await said(definition, phases.responseHead, '200\n', '', kept)
  expect(seen).toBe('1')
  const answer = (onResponseBody: OnResponseBody) =>
    said({ name: 'a', onResponseBody }, phases.responseBody, `200\nserver: s\n\n${requestText}`, 'x')
  const changed = await answer(({ response }) => {
    response.status = 203
    response.headers.set('x-path', response.request.path)
  })
  expect(changed).toBe('s 203\n=x-path: /a\n')
})

test('of a body that streams only the bytes can be changed, and its heads can be read', async () => {
  const stream = (onRequestBody: OnRequestBody): FilterDefinition => ({
    name: 'stream',
    requestBody: 'stream',
    onRequestBody,
  })
  const run = async (onRequestBody: OnRequestBody) => {
    const kept = fresh()
    const definition = stream(onRequestBody)
    await said(definition, phases.requestHead, requestText, '', kept)
    return said(definition, phases.requestBody, null, 'part', kept)
  }
  expect(await run((body) => `${body.request.path}${body.text()}${body.last}`)).toEqual(['', '/aparttrue'])
  expect(await run(() => ({ status: 400 }))).toMatch(/^\?TypeError: of a body that streams/)
  expect(await run((body) => body.request.headers.set('x', '1'))).toMatch(/^\?Error: it is too late/)
})

test('a filter is called for the heads that it needs with its bodies', () => {
  const none = { requestHead: false, responseHead: false, requestBody: 'none', responseBody: 'none' }
  const body = () => {}
  expect(phasesOf({ name: 'a', onRequestBody: body })).toEqual({ ...none, requestBody: 'buffer' })
  expect(phasesOf({ name: 'a', onResponseBody: body })).toEqual({ ...none, responseBody: 'buffer' })
  expect(phasesOf({ name: 'a', onResponseBody: body, responseBody: 'stream' })).toEqual({
    ...{ requestHead: true, responseHead: true },
    ...{ requestBody: 'none', responseBody: 'stream' },
  })
})

test('a definition whose body keys make no sense is refused', () => {
  const define = (definition: object) => () => defineFilter({ name: 'a', ...definition })
  expect(define({ requestBody: 'buffer' })).toThrow('has no `onRequestBody` beside it')
  expect(define({ responseBody: 'whole', onResponseBody() {} })).toThrow("must be 'stream' or 'buffer'")
  expect(define({ onRequestBody: 'x' })).toThrow('is not a function')
  expect(define({ maxBodyBytes: -1 })).toThrow('number of bytes')
})
