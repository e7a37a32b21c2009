/**
 * What a crossing to a filter in TypeScript costs on this side: the head becomes a string, the filter runs, its edits or
 * its answer are there to be read. What Node-API adds is in the scenario `filter-1k`.
 */
import { defineFilter } from '../../src/filters/definition.js'
import { ScriptHost } from '../../src/filters/script-host.js'
import type { MicroBench } from './micro-bench.js'

const request = Buffer.from(
  'GET /api/v1/reviews/0001?page=2\n10.1.2.3\nhttp\nhost: reviews.example\nuser-agent: curl/8.5.0\naccept: */*\n' +
    'accept-encoding: gzip\nx-client: 10.1.2.3\ncookie: session=0123456789\n' +
    'x-request-id: 5f3c1f0e-8f0a-4d0c-9a52-6d1d2f6c7a11\n',
  'latin1',
)
const response = Buffer.from('200\ncontent-type: application/json\ncontent-length: 1024\nserver: app\n', 'latin1')

const idle = defineFilter({ name: 'idle', onRequest() {} })
const tenant = defineFilter({
  name: 'tenant',
  onRequest({ headers }) {
    headers.set('x-tenant', headers.get('host')?.split('.')[0] ?? 'none')
  },
})
const gate = defineFilter({
  name: 'gate',
  onRequest: () => ({ status: 403, headers: { 'x-why': 'closed' }, body: 'no entry' }),
})
const answers = defineFilter({
  name: 'answers',
  onRequest() {},
  onResponse({ headers }) {
    headers.delete('server')
  },
})

async function call(filter: ReturnType<typeof defineFilter>, phase: number) {
  const host = new ScriptHost({ scriptResume: () => false })
  const { definition } = filter
  await host.load(
    [{ id: 1, key: '', name: definition.name, path: [], url: null, options: undefined, definition, pool: null }],
    () => {},
  )
  const head = phase === 0 ? request : response
  if (phase === 2) host.call(1, 0, 0, request.toString('latin1'))
  return () => host.call(1, 0, phase, head.toString('latin1'))
}

export const filterBenches: readonly MicroBench[] = [
  { name: 'filter: head in, nothing changed', mustMicros: 1, prepare: () => call(idle, 0) },
  { name: 'filter: head in, one header read and one set', mustMicros: 1, prepare: () => call(tenant, 0) },
  { name: 'filter: head in, answer out', mustMicros: 1.5, prepare: () => call(gate, 0) },
  { name: 'filter: answer in, one header removed', mustMicros: 1, prepare: () => call(answers, 2) },
]
