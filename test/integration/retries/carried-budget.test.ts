/** `x-weft-budget`: time and retries that are left go along from hop to hop, and nobody can make them up. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { answer, type Message, readAnswer, request, value } from '../../kit/h1-message.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const secret = 'a key that only these tests know'
const line = 'x-weft-budget'

function keyFile(): string {
  const file = join(scratchFolder(), 'budget.key')
  writeFileSync(file, `${secret}\n`)
  return file
}

let count = 0

/** A line as a hop before would write it. */
function budget(fields: { at?: number; left?: number; retries?: number; hop?: number; key?: string } = {}): string {
  const { at = Date.now(), left = 5_000, retries = 2, hop = 1, key = secret } = fields
  count += 1
  const text = `v=1;id=00000000000000aa-${count.toString(16)};at=${at};left=${left};retries=${retries};hop=${hop}`
  return `${text};sig=${createHmac('sha256', key).update(text).digest('base64url')}`
}

const fieldsOf = (message: Message) =>
  Object.fromEntries((value(message, line) ?? '').split(';').map((field) => field.split('=', 2))) as Record<
    string,
    string
  >

describe('one hop', () => {
  let upstream: ScriptedUpstream
  let rule = answer
  let weft: Weft

  beforeAll(async () => {
    upstream = await ScriptedUpstream.open()
    upstream.answerAll(() => rule())
    const filters = [{ type: 'budget', key: keyFile(), retries: 3 }]
    const retry = { retries: 9, on: ['5xx'], backoff: { base: '1ms' } }
    weft = await startWeft({
      hop: { upstream: upstream.port, listener: { filters }, route: { retry, timeout: '10s' } },
      next: { upstream: upstream.port, listener: { filters }, route: { retry } },
      endless: { upstream: upstream.port, listener: { filters }, route: { timeout: 0 } },
    })
  })

  afterEach(() => {
    rule = answer
    upstream.clear()
  })

  afterAll(async () => {
    await weft.stop()
    await upstream.close()
  })

  async function ask(lines: string[], door = 'hop') {
    const client = await Wire.connect(weft.port(door))
    await client.send(request('GET /', lines))
    const answered = await readAnswer(client)
    client.close()
    return answered
  }

  const failing = () => 'HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n'

  test('the first hop gives the time of its route and the retries of its filter, less one that it keeps back', async () => {
    const answered = await ask([])
    expect(value(answered, line)).toBeUndefined()
    const sent = fieldsOf(upstream.seen[0] as Message)
    expect(sent).toMatchObject({ v: '1', retries: '2', hop: '1' })
    expect(Number(sent.left)).toBeGreaterThan(9_000)
    expect(Number(sent.left)).toBeLessThanOrEqual(10_001)
    await ask([], 'endless')
    expect(fieldsOf(upstream.seen[1] as Message)).toMatchObject({ left: '0' })
  })

  test('what the hop before says is passed on with what is left, and it is told what was used', async () => {
    const answered = await ask([`${line}: ${budget({ left: 800, retries: 7, hop: 4 })}`])
    expect(value(answered, line)).toBe('used=0')
    const sent = fieldsOf(upstream.seen[0] as Message)
    expect(sent).toMatchObject({ retries: '6', hop: '5' })
    expect(Number(sent.left)).toBeLessThanOrEqual(801)
  })

  test.each([
    [0, 1],
    [1, 2],
    [4, 5],
  ])('with %i retries left a failing service is asked %i times', async (retries, attempts) => {
    rule = failing
    const answered = await ask([`${line}: ${budget({ retries })}`])
    expect([answered.status, upstream.seen.length, value(answered, line)]).toEqual([503, attempts, `used=${retries}`])
    // The others must not retry it either.
    expect(value(answered, 'x-weft-retries')).toBe('spent')
  })

  test('the line of a service never reaches the client, and what it says it used is taken off', async () => {
    rule = () => 'HTTP/1.1 503 No\r\nX-Weft-Budget: used=2\r\ncontent-length: 0\r\n\r\n'
    const answered = await ask([])
    expect(value(answered, line)).toBeUndefined()
    // Three retries: two that were used behind, one here.
    expect(upstream.seen.length).toBe(2)
  })

  test('the exchange ends when the caller stops waiting, long before its own timeout', async () => {
    const silent = await ScriptedUpstream.open()
    const filters = [{ type: 'budget', key: keyFile() }]
    const own = await startWeft({ own: { upstream: silent.port, listener: { filters } } })
    const client = await Wire.connect(own.port('own'))
    const began = performance.now()
    await client.send(request('GET /late', [`${line}: ${budget({ left: 300 })}`]))
    const answered = await readAnswer(client)
    expect(answered.status).toBe(504)
    expect(answered.body).toContain('the time that the caller gave the request in `x-weft-budget` is over')
    expect(performance.now() - began).toBeGreaterThanOrEqual(295)
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(await own.logLine(({ path }) => path === '/late')).toMatchObject({ response_flags: 'UT' })
    client.close()
    await own.stop()
    await silent.close()
  })

  const counted = async (why: string) => (await weft.metrics()).get(`weft_budgets_${why}_total`) ?? 0

  test.each([
    ['forged', 'with another key', () => budget({ key: 'a key that nobody knows', retries: 9 })],
    ['forged', 'with a changed number', () => budget().replace('retries=2', 'retries=9')],
    ['forged', 'as nonsense', () => 'v=1;retries=9'],
    ['expired', 'a minute ago', () => budget({ at: Date.now() - 60_000, retries: 9 })],
    ['expired', 'by a clock far ahead', () => budget({ at: Date.now() + 60_000, retries: 9 })],
  ])('a budget that is %s, written %s, is ignored and counted', async (why, _, written) => {
    const before = await counted(why)
    const answered = await ask([`${line}: ${written()}`])
    expect([answered.status, value(answered, line)]).toEqual([200, undefined])
    expect(fieldsOf(upstream.seen[0] as Message)).toMatchObject({ retries: '2', hop: '1' })
    expect(await counted(why)).toBe(before + 1)
  })

  test('a budget that was used before is ignored at whichever door, and so are two lines', async () => {
    await ask([])
    const recorded = `${line}: ${value(upstream.seen[0] as Message, line)}`
    const before = [await counted('replayed'), await counted('forged')]
    await ask([recorded], 'next')
    await ask([recorded], 'next')
    await ask([recorded])
    await ask([`${line}: ${budget()}`, `${line}: ${budget()}`])
    expect(upstream.seen.slice(1).map((message) => fieldsOf(message).hop)).toEqual(['2', '1', '1', '1'])
    expect([await counted('replayed'), await counted('forged')]).toEqual([(before[0] ?? 0) + 2, (before[1] ?? 0) + 1])
  })
})

describe('a chain of four hops', () => {
  afterEach(endPrograms)

  /** The edge waits a second and allows three retries; each other hop would go on for long. */
  async function chain(handler: http.RequestListener, filters: object[]) {
    const service = http.createServer(handler).listen(0, '127.0.0.1')
    await once(service, 'listening')
    let next = `127.0.0.1:${(service.address() as AddressInfo).port}`
    const hops: ProxyProcess[] = []
    for (let hop = 4; hop > 0; hop -= 1) {
      // The nearer hop gives up first, so that each of them sees its attempts fail without an answer.
      const retry = { retries: 5, on: ['reset'], perTryTimeout: `${100 + 40 * (4 - hop)}ms`, backoff: { base: '1ms' } }
      const timeout = hop === 1 ? '1s' : '30s'
      const route = { retry, timeout, firstByteTimeout: 0 }
      const cluster = { retryBudget: { percent: 100, minConcurrency: 100 } }
      const proxy = await ProxyProcess.start(next, { listener: { filters }, route, cluster })
      hops.unshift(proxy)
      next = `127.0.0.1:${proxy.port}`
    }
    return { service, hops, edge: hops[0] as ProxyProcess }
  }

  const active = (hop: ProxyProcess) => hop.stats().then(({ counters }) => counters.weft_requests_active)

  test('whose service hangs asks it four times at most, and all give up with the edge', async () => {
    let [hanging, reached] = [false, 0]
    const { service, hops, edge } = await chain(
      (_, response) => {
        reached += 1
        if (!hanging) response.end('fine')
      },
      [{ type: 'budget', key: keyFile() }],
    )
    // The first answer tells each hop that the next one passes budgets on.
    await expect.poll(() => fetch(edge.url).then(({ status }) => status), { timeout: 20_000 }).toBe(200)
    hanging = true
    reached = 0
    const began = performance.now()
    const answered = await fetch(edge.url)
    expect(answered.status).toBe(504)
    expect(performance.now() - began).toBeLessThan(5_000)
    await expect.poll(() => Promise.all(hops.map(active)), { timeout: 5_000 }).toEqual([0, 0, 0, 0])
    expect(reached).toBeGreaterThan(1)
    expect(reached).toBeLessThanOrEqual(4)
    service.closeAllConnections()
    service.close()
  }, 60_000)
})

test('a file of keys that is missing or holds too short a key is refused, and the last good configuration stays', async () => {
  const upstream = await ScriptedUpstream.open()
  upstream.answerAll()
  const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, {
    listener: { filters: [{ type: 'budget', key: keyFile() }] },
  })
  const short = join(scratchFolder(), 'short.key')
  writeFileSync(short, 'short\n')
  for (const [key, message] of [
    ['/nowhere/budget.key', 'cannot be read'],
    [short, 'is shorter than 16 characters'],
  ]) {
    const [listener] = proxy.config.listeners ?? []
    const listeners = [{ ...listener, filters: [{ type: 'budget', key }] }]
    const from = proxy.output.length
    proxy.write({ ...proxy.config, listeners } as typeof proxy.config)
    proxy.signal('SIGHUP')
    await proxy.says(message as string, from)
    expect((await fetch(proxy.url)).status).toBe(200)
  }
  await proxy.stop()
  await endPrograms()
  await upstream.close()
})
