/** Trace context over two hops: continued, begun, sampled alike, and in record and log. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Message, readAnswer, request, value, values } from '../kit/h1-message.js'
import { ScriptedUpstream } from '../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../kit/start-weft.js'
import { Wire } from '../kit/wire.js'

const trace = '0af7651916cd43dd8448eb211c80319c'
const span = 'b7ad6b7169203331'

let upstream: ScriptedUpstream
let off: Weft
let inner: Weft
let outer: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  upstream.answerAll()
  const tracing = { sampling: '50%' }
  off = await startWeft({ door: { upstream: upstream.port } })
  inner = await startWeft({ door: { upstream: upstream.port } }, { tracing })
  outer = await startWeft({ door: { upstream: inner.port('door') } }, { tracing })
})

beforeEach(() => {
  upstream.seen = []
})

afterAll(async () => {
  for (const weft of [outer, inner, off]) await weft?.stop()
  await upstream.close()
})

/** What the endpoint received. */
async function sent(weft: Weft, lines: string[]): Promise<Message> {
  const client = await Wire.connect(weft.port('door'))
  await client.send(request('GET /', lines))
  expect((await readAnswer(client)).status).toBe(200)
  client.close()
  const [seen] = upstream.seen.splice(0)
  if (seen === undefined) throw new Error('the endpoint saw nothing')
  return seen
}

test('without tracing the lines pass untouched and the log has the id', async () => {
  const lines = [`Traceparent: 00-${trace}-${span}-01`, 'Tracestate: a=b']
  const seen = await sent(off, lines)
  expect(seen.lines).toEqual(expect.arrayContaining(lines))
  expect(await off.logLine(({ trace_id }) => trace_id === trace)).toMatchObject({ response_code: 200 })
  expect(values(await sent(off, []), 'traceparent')).toEqual([])
  await off.logLine(({ trace_id }) => trace_id === null)
})

test('a trace goes on over both hops, each with a span of its own', async () => {
  const seen = await sent(outer, [`traceparent: 00-${trace}-${span}-01`, 'tracestate: a=b'])
  const line = value(seen, 'traceparent') ?? ''
  expect(line).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))
  expect(line).not.toContain(span)
  expect(value(seen, 'tracestate')).toBe('a=b')
  await outer.logLine(({ trace_id }) => trace_id === trace)
  await inner.logLine(({ trace_id }) => trace_id === trace)
})

test('both hops log the trace that the first of them began', async () => {
  const seen = await sent(outer, ['x-request-id: begun-here'])
  const begun = (value(seen, 'traceparent') ?? '').split('-')[1]
  for (const weft of [outer, inner]) {
    expect(await weft.logLine(({ request_id }) => request_id === 'begun-here')).toMatchObject({ trace_id: begun })
  }
})

test('hops that know a request by its id alone decide alike, half of them to sample', async () => {
  const ids = Array.from({ length: 100 }, (_, number) => `request-${number}`)
  const flags = async (weft: Weft) => {
    const found: (string | undefined)[] = []
    for (const id of ids) found.push(value(await sent(weft, [`x-request-id: ${id}`]), 'traceparent')?.slice(-2))
    return found
  }
  const [once, again] = [await flags(inner), await flags(outer)]
  expect(again).toEqual(once)
  const sampled = once.filter((flag) => flag === '01').length
  expect(sampled).toBeGreaterThan(30)
  expect(sampled).toBeLessThan(70)
})

test('B3 goes on in the form in which it came, beside traceparent', async () => {
  const single = await sent(inner, [`b3: ${trace}-${span}-1`])
  expect(value(single, 'b3')).toMatch(new RegExp(`^${trace}-[0-9a-f]{16}-1-${span}$`))
  const spanOf = (value(single, 'b3') ?? '').split('-')[1]
  expect(value(single, 'traceparent')).toBe(`00-${trace}-${spanOf}-01`)
  const multi = await sent(inner, [`X-B3-TraceId: ${trace}`, `X-B3-SpanId: ${span}`, 'X-B3-Sampled: 0'])
  expect(value(multi, 'x-b3-traceid')).toBe(trace)
  expect(value(multi, 'x-b3-parentspanid')).toBe(span)
  expect(value(multi, 'traceparent')).toBe(`00-${trace}-${value(multi, 'x-b3-spanid')}-00`)
})

test('what is malformed is replaced by a trace that is not', async () => {
  const seen = await sent(inner, ['traceparent: 00-nonsense', 'tracestate: a=b', 'b3: more-nonsense'])
  expect(value(seen, 'traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
  expect(values(seen, 'tracestate')).toEqual([])
  expect(value(seen, 'b3')).toMatch(/^[0-9a-f]{32}-[0-9a-f]{16}-[01]$/)
})
