/** The table of requests against a live listener, while a neighbour's connection goes on as if nothing happened. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Case, raw } from '../../conformance/case.js'
import { type Message, readAnswer, request } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const cases = JSON.parse(readFileSync(new URL('../../conformance/h1-requests.json', import.meta.url), 'utf8')) as Case[]
/** Longer ones are not sent byte by byte. */
const maxSinglyBytes = 400

let upstream: ScriptedUpstream
let weft: Weft
let neighbour: Wire
let served = 0

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  upstream.answerAll()
  weft = await startWeft({ edge: { upstream: upstream.port } })
  neighbour = await Wire.connect(weft.port('edge'))
})

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

/** A request of the neighbour's: answered, and behind whatever the case brought to the upstream. */
async function neighbourIsServed(): Promise<void> {
  served += 1
  await neighbour.send(request(`GET /neighbour/${served}`))
  expect((await readAnswer(neighbour)).status).toBe(200)
}

/** Requests that the upstream saw since the last call, without the neighbour's. */
function taken(): Message[] {
  const seen = upstream.seen.filter(({ start }) => !start.includes(' /neighbour/'))
  upstream.seen = []
  return seen
}

function expectForwarded(of: Case, seen: Message[]): void {
  expect(seen).toHaveLength(1)
  const [message] = seen as [Message]
  if (of.line !== undefined) expect(message.start).toBe(of.line)
  for (const line of of.has ?? []) expect(message.lines).toContain(line)
  const names = message.lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
  for (const lacking of of.lacks ?? []) {
    expect(message.lines).not.toContain(lacking)
    expect(names).not.toContain(lacking)
  }
  expect(message.body).toBe(of.body ?? '')
  expect(message.trailers).toBe(of.trailers ?? '')
}

async function play(of: Case, singly: boolean): Promise<void> {
  const client = await Wire.connect(weft.port('edge'))
  const text = raw(of)
  const sent = singly ? client.sendSingly(text) : client.send(text)
  if (of.expect === 'wait') {
    await sent
    client.finish()
    expect(await client.takeRest()).toBe('')
  } else {
    const answer = await readAnswer(client, text.startsWith('HEAD ') ? 'HEAD' : 'GET')
    expect(answer.status).toBe(of.expect === 'forward' ? 200 : of.expect)
    if (of.closes) {
      expect(await client.takeRest()).toBe('')
      expect(client.ending).toBe('fin')
    } else {
      await client.send(request('GET /neighbour/same-connection'))
      expect((await readAnswer(client)).status).toBe(200)
    }
  }
  await sent
  client.close()
  await neighbourIsServed()
  if (of.expect === 'forward') expectForwarded(of, taken())
  else expect(taken()).toEqual([])
}

test('the table is as large as it claims to be', () => {
  expect(cases.length).toBeGreaterThanOrEqual(150)
})

test.each(cases.map((of) => [of.name, of] as const))('%s', { timeout: 15_000 }, async (_, of) => {
  await play(of, false)
})

const short = cases.filter((of) => raw(of).length <= maxSinglyBytes)
test.each(short.map((of) => [of.name, of] as const))('byte by byte: %s', { timeout: 15_000 }, async (_, of) => {
  await play(of, true)
})

test('malformed requests are counted and logged as such', async () => {
  const refused = await weft.logLine(({ response_flags }) => response_flags === 'DPE')
  expect(refused).toMatchObject({ response_code: 400, upstream_host: null })
  expect((await weft.metrics()).get('weft_parse_errors_total')).toBeGreaterThan(100)
  expect((await weft.metrics()).get('weft_panics_total')).toBe(0)
})
