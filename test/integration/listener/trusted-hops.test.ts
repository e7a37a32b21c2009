/** `trustedHops`: whom records, logs and bucket keys take for the client, and which scheme the endpoint is told. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Message, readAnswer, request, value } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

let upstream: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  upstream.answerAll()
  const door = (listener: Record<string, unknown>) => ({ upstream: upstream.port, listener })
  const buckets = [{ name: 'each', key: [{ clientAddress: true }], tokens: 1, refill: 1, every: '5h' }]
  weft = await startWeft({
    none: door({}),
    two: door({ trustedHops: 2 }),
    limited: door({ trustedHops: 1, filters: [{ type: 'local-rate-limit', buckets }] }),
  })
})

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

async function sent(door: string, lines: string[]): Promise<{ status: number; seen: Message | undefined }> {
  upstream.seen = []
  const client = await Wire.connect(weft.port(door))
  await client.send(request('GET /', lines))
  const { status } = await readAnswer(client)
  client.close()
  return { status, seen: upstream.seen[0] }
}

const forwarded = ['X-Forwarded-For: 6.6.6.6, 1.1.1.1', 'X-Forwarded-For: 2.2.2.2', 'X-Forwarded-Proto: https']

test('by default nothing that the client says of itself is believed', async () => {
  const { seen } = await sent('none', [...forwarded, 'x-request-id: none'])
  expect(seen && value(seen, 'x-forwarded-proto')).toBe('http')
  expect(seen && value(seen, 'x-forwarded-for')).toBe('6.6.6.6, 1.1.1.1, 2.2.2.2, 127.0.0.1')
  const line = await weft.logLine(({ request_id }) => request_id === 'none')
  expect(line.downstream_remote_address).toMatch(/^127\.0\.0\.1:\d+$/)
})

test('behind two trusted proxies the client is the second address from the right', async () => {
  const { seen } = await sent('two', [...forwarded, 'x-request-id: two'])
  expect(seen && value(seen, 'x-forwarded-proto')).toBe('https')
  expect(seen && value(seen, 'x-forwarded-for')).toBe('6.6.6.6, 1.1.1.1, 2.2.2.2, 127.0.0.1')
  const line = await weft.logLine(({ request_id }) => request_id === 'two')
  expect(line.downstream_remote_address).toBe('1.1.1.1:0')
})

test.each([['X-Forwarded-For: 2.2.2.2'], ['X-Forwarded-For: nobody, 2.2.2.2']])(
  'the connection decides when the addresses are too few or none: %s',
  async (line) => {
    const id = `odd-${line.length}`
    await sent('two', [line, `x-request-id: ${id}`])
    const logged = await weft.logLine(({ request_id }) => request_id === id)
    expect(logged.downstream_remote_address).toMatch(/^127\.0\.0\.1:\d+$/)
  },
)

test('a bucket by client address counts the client that the trusted proxy names', async () => {
  const of = async (address: string) => (await sent('limited', [`X-Forwarded-For: 9.9.9.9, ${address}`])).status
  expect([await of('1.1.1.1'), await of('1.1.1.1'), await of('2.2.2.2')]).toEqual([200, 429, 200])
})
