/** What an answer's head says to a retry policy: how long to wait, what gRPC thinks of it, a header that is named. */
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { answer, readAnswer, request } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const backoff = { base: '1ms' }
const grpc = ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable']

let upstream: ScriptedUpstream
let weft: Weft
/** When each request came, in ms. */
let came: number[] = []
/** What the first request is answered; all others get 200. */
let first = answer()

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  upstream.answerAll(() => {
    came.push(performance.now())
    return came.length === 1 ? first : answer('then')
  })
  const door = (retry: object, route: object = {}) => ({ upstream: upstream.port, route: { ...route, retry } })
  const busy = { on: ['retriable-status-codes'], statusCodes: [429, 503], backoff }
  weft = await startWeft({
    heeding: door({ ...busy, retryAfter: { max: '2s' } }),
    deaf: door(busy),
    hurried: door({ ...busy, retryAfter: {} }, { timeout: '3s' }),
    grpc: door({ on: grpc, backoff }),
    named: door({
      on: ['retriable-headers'],
      retriableHeaders: [{ name: 'X-State', regex: 'warming|cold' }],
      backoff,
    }),
  })
})

afterEach(() => {
  came = []
  upstream.clear()
})

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

async function ask(door: string, answered: string) {
  first = answered
  count += 1
  const path = `/${door}-${count}`
  const client = await Wire.connect(weft.port(door))
  await client.send(request(`GET ${path}`))
  const { status } = await readAnswer(client)
  client.close()
  return { status, path, waited: (came[1] ?? Number.NaN) - (came[0] ?? Number.NaN) }
}
let count = 0

const busy = (...lines: string[]) => ['HTTP/1.1 429 Busy', ...lines, 'content-length: 0', '', ''].join('\r\n')

test.each([
  ['seconds', () => 'Retry-After: 1', 1_000, 1_500],
  ['a date', () => `Retry-After: ${new Date(Date.now() + 1_999).toUTCString()}`, 900, 3_000],
  ['the end of a rate limit, in seconds', () => 'X-RateLimit-Reset: 1', 1_000, 1_500],
  ['the end of a rate limit, as a time', () => `X-RateLimit-Reset: ${Math.floor(Date.now() / 1000) + 2}`, 900, 3_000],
])('an answer that asks for a wait in %s gets it, and at most half as much again', async (_, line, least, most) => {
  const { status, waited } = await ask('heeding', busy(line()))
  expect(status).toBe(200)
  expect(waited).toBeGreaterThanOrEqual(least)
  // What the machine adds is not the subject.
  expect(waited).toBeLessThan(most + 500)
})

test.each([
  ['a longer wait than the policy grants', 'heeding', 'Retry-After: 3'],
  ['nonsense', 'heeding', 'Retry-After: soon'],
  ['a wait that the policy does not listen to', 'deaf', 'Retry-After: 3'],
])('an answer that asks for %s is retried after the back-off', async (_, door, line) => {
  const { status, waited } = await ask(door, busy(line))
  expect(status).toBe(200)
  expect(waited).toBeLessThan(900)
})

test('an answer whose wait would outlast the timeout goes back at once, with what it asks', async () => {
  const began = performance.now()
  const { status, path } = await ask('hurried', busy('Retry-After: 60'))
  expect([status, came.length]).toEqual([429, 1])
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(await weft.logLine((line) => line.path === path)).toMatchObject({ upstream_request_attempt_count: 1 })
})

test('a real server that is busy for a second is left alone for a second', async () => {
  let ready = Number.POSITIVE_INFINITY
  const early: number[] = []
  const server = createServer((_, response) => {
    if (ready === Number.POSITIVE_INFINITY) ready = performance.now() + 1_000
    else if (performance.now() < ready) early.push(performance.now())
    if (performance.now() >= ready) response.end('ready')
    else response.writeHead(503, { 'retry-after': '1' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const own = await startWeft({
    own: {
      upstream: port,
      route: { retry: { on: ['5xx'], backoff, retryAfter: {} } },
      cluster: { retryBudget: { percent: 100, minConcurrency: 10 } },
    },
  })
  const asked = await Promise.all(Array.from({ length: 5 }, () => fetch(`http://127.0.0.1:${own.port('own')}/`)))
  expect(asked.map(({ status }) => status)).toEqual(Array(5).fill(200))
  // Those that came in the same moment as the first one; nobody came back before it was time.
  expect(early.length).toBeLessThanOrEqual(4)
  await own.stop()
  server.closeAllConnections()
  server.close()
}, 20_000)

test.each([
  [1, true],
  [4, true],
  [8, true],
  [13, true],
  [14, true],
  [0, false],
  [5, false],
])('an answer of gRPC whose head says status %i is retried: %s', async (code, retried) => {
  const head = [
    'HTTP/1.1 200 OK',
    'content-type: application/grpc',
    `grpc-status: ${code}`,
    'content-length: 0',
    '',
    '',
  ]
  await ask('grpc', head.join('\r\n'))
  expect(came.length).toBe(retried ? 2 : 1)
})

test.each([
  ['cold', true],
  ['warming', true],
  ['warm', false],
])('an answer with the header x-state: %s is retried: %s', async (state, retried) => {
  await ask('named', answer('no', `X-State: ${state}`))
  expect(came.length).toBe(retried ? 2 : 1)
})
