/** The table of answers, played by an upstream that lies, to clients of HTTP/1.1 and 1.0. */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Case, raw } from '../../conformance/case.js'
import { asDoorAnswers } from '../../conformance/uws.js'
import {
  type Answer,
  answer,
  CutByReset,
  type Head,
  readAnswer,
  readRequest,
  request,
  statusOf,
} from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Truncated, Wire } from '../../kit/wire.js'

const cases = JSON.parse(readFileSync(new URL('../../conformance/h1-answers.json', import.meta.url), 'utf8')) as Case[]
const timeout = 15_000

describe.each(['native', 'uws'] as const)('the behaviour table of answers over %s', (engine) => {
  let liar: ScriptedUpstream
  let honest: ScriptedUpstream
  let weft: Weft
  let neighbour: Wire

  beforeAll(async () => {
    liar = await ScriptedUpstream.open()
    honest = await ScriptedUpstream.open()
    honest.answerAll()
    weft = await startWeft({
      edge: { upstream: liar.port, listener: { engine } },
      neighbour: { upstream: honest.port, listener: { engine } },
    })
    neighbour = await Wire.connect(weft.port('neighbour'))
  })

  afterEach(() => liar.clear())

  afterAll(async () => {
    await weft.stop()
    await liar.close()
    await honest.close()
  })

  /** A line as it can be compared: the door has a date, a framing and a spelling of its own. */
  function written(line: string): string | null {
    if (engine === 'native') return line
    return /^(date|transfer-encoding):/i.test(line) ? null : line.toLowerCase()
  }

  /** An exchange of somebody else's: served, and a sign that the proxy has looked at all its sockets. */
  async function neighbourIsServed(): Promise<void> {
    await neighbour.send(request('GET /'))
    expect((await readAnswer(neighbour)).status).toBe(200)
  }

  function expectLines(of: Case, head: Head): void {
    if (of.line !== undefined) expect(head.start).toBe(of.line)
    const lines = head.lines.map(written)
    for (const line of (of.has ?? []).map(written)) if (line !== null) expect(lines).toContain(line)
    const names = head.lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
    for (const lacking of of.lacks ?? []) {
      expect(head.lines).not.toContain(lacking)
      expect(names).not.toContain(lacking)
    }
  }

  function expectPassedOn(of: Case, got: Answer): void {
    expectLines(of, got)
    expect(got.body).toBe(of.body)
    const through = engine === 'native' ? of : asDoorAnswers(of)
    expect(got.trailers).toBe(through.trailers ?? '')
    expect(got.informational.map(statusOf)).toEqual(through.informational ?? [])
  }

  /**
   * 502, or a body that the client can tell is not whole. Where the end of the connection is the fault it comes when the
   * client has the head: libuv reports a reset that it sees together with data as an ordinary end.
   */
  async function expectBroken(of: Case, client: Wire, liarWire: Wire): Promise<void> {
    if (of.end) {
      // A head without a length leaves the door with the first byte of its body.
      if (engine === 'uws') await neighbourIsServed()
      else await client.until(() => client.unread.includes('\r\n\r\n'), 'the head')
      liarWire.finish()
    }
    const outcome = await readAnswer(client).catch((error: unknown) => error)
    if (outcome instanceof Truncated || outcome instanceof CutByReset) return
    expect((outcome as Answer).status).toBe(502)
  }

  async function lie(of: Case, liarWire: Wire): Promise<void> {
    await readRequest(liarWire)
    await liarWire.send(raw(of))
    if (of.end && of.expect !== 'abort') liarWire.finish()
  }

  /** The next exchange tells whether the proxy kept the connection; it leaves none behind. */
  async function expectReused(reused: boolean, liarWire: Wire): Promise<void> {
    const client = await Wire.connect(weft.port('edge'))
    await client.send(request('GET /after'))
    if (!reused) await liarWire.ended()
    const next = reused ? liarWire : await liar.next()
    expect((await readRequest(next)).start).toBe('GET /after HTTP/1.1')
    await next.send(answer('after', 'connection: close'))
    expect((await readAnswer(client)).body).toBe('after')
    client.close()
    await next.ended()
    next.close()
  }

  async function play(of: Case): Promise<void> {
    const method = of.method ?? 'GET'
    const client = await Wire.connect(weft.port('edge'))
    await client.send(request(`${method} /`))
    const liarWire = await liar.next()
    await lie(of, liarWire)
    if (of.expect === 'wait') {
      await neighbourIsServed()
      liarWire.finish()
      const late = await readAnswer(client)
      expect([200, 502]).toContain(late.status)
    } else if (of.expect === 'abort') {
      await expectBroken(of, client, liarWire)
    } else if (of.expect === 'ok') {
      expectPassedOn(of, await readAnswer(client, method))
    } else {
      expect((await readAnswer(client, method)).status).toBe(of.raw === '' ? 503 : of.expect)
    }
    client.close()
    await neighbourIsServed()
    await expectReused(of.expect === 'ok' && !of.closes, liarWire)
  }

  test.each(cases.map((of) => [of.name, of] as const))('%s', { timeout }, async (_, of) => {
    await play(of)
  })

  test('malformed answers are logged as the fault of the upstream', async () => {
    const line = await weft.logLine(({ response_flags }) => response_flags === 'UPE')
    expect(line).toMatchObject({ response_code: 502, upstream_host: `127.0.0.1:${liar.port}`, route_name: 'edge' })
    expect((await weft.metrics()).get('weft_panics_total')).toBe(0)
  })

  if (engine === 'uws') return // it does not read HTTP/1.0

  const bodies = cases.filter(({ expect, method }) => method === undefined && (expect === 'ok' || expect === 'abort'))
  test.each(bodies.map((of) => [of.name, of] as const))('to HTTP/1.0: %s', { timeout }, async (_, of) => {
    const client = await Wire.connect(weft.port('edge'))
    await client.send('GET / HTTP/1.0\r\n\r\n')
    const liarWire = await liar.next()
    await lie(of, liarWire)
    if (of.expect === 'abort') {
      // Without chunks or a length only a reset says that the body is not whole.
      await expectBroken(of, client, liarWire)
    } else {
      const got = await readAnswer(client)
      expect(got.informational).toEqual([])
      expect(got.body).toBe(of.body)
      expect(got.lines.some((line) => /^transfer-encoding/i.test(line))).toBe(false)
      expect(await client.takeRest()).toBe('')
    }
    client.close()
    await expectReused(of.expect === 'ok' && !of.closes, liarWire)
  })
})
