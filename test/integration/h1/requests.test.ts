/** The table of requests against a live listener, while a neighbour's connection goes on as if nothing happened. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Case, raw } from '../../conformance/case.js'
import { type Difference, differenceOf, differences } from '../../conformance/uws.js'
import { type Message, readAnswer, request } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const cases = JSON.parse(readFileSync(new URL('../../conformance/h1-requests.json', import.meta.url), 'utf8')) as Case[]
/** Longer ones are not sent byte by byte. */
const maxSinglyBytes = 400
const short = cases.filter((of) => raw(of).length <= maxSinglyBytes)

test('the table is as large as it claims to be', () => {
  expect(cases.length).toBeGreaterThanOrEqual(150)
})

test('every difference of the uws door is one of a case', () => {
  const names = cases.map(({ name }) => name)
  expect(differences.flatMap((difference) => difference.cases).filter((name) => !names.includes(name))).toEqual([])
})

describe.each(['native', 'uws'] as const)('the behaviour table over %s', (engine) => {
  let upstream: ScriptedUpstream
  let weft: Weft
  let neighbour: Wire
  let served = 0

  beforeAll(async () => {
    upstream = await ScriptedUpstream.open()
    upstream.answerAll()
    weft = await startWeft({ edge: { upstream: upstream.port, listener: { engine } } })
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

  /** A line with its name as the engine passes it on. */
  function written(line: string): string {
    const colon = line.indexOf(':')
    return engine === 'native' ? line : `${line.slice(0, colon).toLowerCase()}: ${line.slice(colon + 1).trim()}`
  }

  function expectForwarded(of: Case, seen: Message[], difference: Difference | null): void {
    expect(seen).toHaveLength(1)
    const [message] = seen as [Message]
    if (of.line !== undefined) expect(message.start).toBe(of.line)
    if (difference !== null) return
    const lines = message.lines.map(written)
    for (const line of of.has ?? []) expect(lines).toContain(written(line))
    const names = message.lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
    for (const lacking of of.lacks ?? []) {
      expect(message.lines).not.toContain(lacking)
      expect(names).not.toContain(lacking)
    }
    expect(message.body).toBe(of.body ?? '')
    expect(message.trailers).toBe(of.trailers ?? '')
  }

  async function expectNothing(client: Wire, sent: Promise<void>): Promise<void> {
    await sent
    client.finish()
    expect(await client.takeRest()).toBe('')
  }

  async function expectAnswer(of: Case, client: Wire, difference: Difference | null): Promise<void> {
    const method = raw(of).startsWith('HEAD ') ? 'HEAD' : 'GET'
    const answer = await readAnswer(client, method).catch((error: unknown) => {
      // The door does not linger: bytes that come behind a refusal may cut off its answer.
      if (engine === 'uws' && of.expect !== 'forward' && client.ending === 'reset') return null
      throw error
    })
    if (answer === null) return
    expect(answer.status).toBe(of.expect === 'forward' || difference !== null ? 200 : of.expect)
    // What the door refuses ends its connection only where its framing is in doubt.
    if (difference !== null || (engine === 'uws' && of.expect !== 'forward')) return
    if (of.closes) {
      expect(await client.takeRest()).toBe('')
      expect(client.ending).toBe('fin')
    } else {
      await client.send(request('GET /neighbour/same-connection'))
      expect((await readAnswer(client)).status).toBe(200)
    }
  }

  async function play(of: Case, singly: boolean): Promise<void> {
    const difference = engine === 'uws' ? differenceOf(of.name) : null
    const client = await Wire.connect(weft.port('edge'))
    const text = raw(of)
    const sent = singly ? client.sendSingly(text) : client.send(text)
    const silent = of.expect === 'wait' || difference?.outcome === 'nothing'
    if (silent) await expectNothing(client, sent)
    else await expectAnswer(of, client, difference)
    await sent
    client.close()
    await neighbourIsServed()
    if (!silent && (of.expect === 'forward' || difference !== null)) expectForwarded(of, taken(), difference)
    else expect(taken()).toEqual([])
  }

  test.each(cases.map((of) => [of.name, of] as const))('%s', { timeout: 15_000 }, async (_, of) => {
    await play(of, false)
  })

  test.each(short.map((of) => [of.name, of] as const))('byte by byte: %s', { timeout: 15_000 }, async (_, of) => {
    await play(of, true)
  })

  test('malformed requests are counted and logged as such', async () => {
    const refused = await weft.logLine((line) => line.response_flags === 'DPE' && line.response_code === 400)
    expect(refused.upstream_host).toBe(null)
    const bound = engine === 'native' ? 100 : 30
    expect((await weft.metrics()).get('weft_parse_errors_total')).toBeGreaterThan(bound)
    expect((await weft.metrics()).get('weft_panics_total')).toBe(0)
  })
})
