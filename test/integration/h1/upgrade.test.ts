/** `Upgrade` as a tunnel of bytes, with the end of each direction on its own. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request, statusOf, value } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const ask = request('GET /chat', ['Connection: Upgrade', 'Upgrade: raw/1'])
const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw/1\r\n\r\n'

let upstream: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  weft = await startWeft({
    edge: { upstream: upstream.port, cluster: { keepAlive: { idleTimeout: 0 } } },
    hasty: { upstream: upstream.port, route: { idleTimeout: '200ms' } },
  })
})

afterEach(() => upstream.clear())

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

async function upgrade(door = 'edge', early = ''): Promise<[Wire, Wire]> {
  const client = await Wire.connect(weft.port(door))
  await client.send(ask + early)
  const wire = await upstream.next()
  const seen = await readHead(wire)
  expect([value(seen, 'connection'), value(seen, 'upgrade')]).toEqual(['upgrade', 'raw/1'])
  return [client, wire]
}

async function open(door?: string, early?: string, greeting = ''): Promise<[Wire, Wire]> {
  const [client, wire] = await upgrade(door, early)
  await wire.send(switched + greeting)
  const head = await readHead(client)
  expect([statusOf(head), value(head, 'connection'), value(head, 'upgrade')]).toEqual([101, 'upgrade', 'raw/1'])
  return [client, wire]
}

test('bytes pass both ways, those that came early on either side included', async () => {
  const [client, wire] = await open('edge', 'early from the client', 'early from the upstream')
  expect(await wire.take(21)).toBe('early from the client')
  expect(await client.take(23)).toBe('early from the upstream')
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte))
    .join('')
    .repeat(1000)
  const sent = Promise.all([client.send(bytes), wire.send(bytes)])
  expect(await wire.take(bytes.length)).toBe(bytes)
  expect(await client.take(bytes.length)).toBe(bytes)
  await sent
  client.close()
})

test('the end of the client is passed on while the upstream goes on', async () => {
  const [client, wire] = await open()
  await client.send('last words')
  client.finish()
  expect(await wire.takeRest()).toBe('last words')
  expect(wire.ending).toBe('fin')
  await wire.send('an answer to them')
  expect(await client.take(17)).toBe('an answer to them')
  wire.finish()
  expect(await client.takeRest()).toBe('')
  expect(client.ending).toBe('fin')
  const line = await weft.logLine(({ bytes_received }) => bytes_received === 10)
  expect(line).toMatchObject({ response_code: 101, bytes_sent: 17, response_flags: '-' })
})

test('the end of the upstream is passed on while the client goes on', async () => {
  const [client, wire] = await open()
  await wire.send('bye')
  wire.finish()
  expect(await client.takeRest()).toBe('bye')
  await client.send('not yet')
  expect(await wire.take(7)).toBe('not yet')
  client.finish()
  expect(await wire.takeRest()).toBe('')
})

test('a reset of either side ends the other', async () => {
  const [client, wire] = await open()
  client.reset()
  await wire.ended()
  const [second, secondWire] = await open()
  secondWire.reset()
  await second.ended()
})

test('a reset of the client ends a tunnel whose upstream takes nothing, and that is recorded', async () => {
  const [client, wire] = await open()
  wire.socket.pause()
  const taken = [-1, 0]
  const flood = (async () => {
    for (let count = 1; !client.socket.destroyed; count += 1) {
      await client.send('x'.repeat(65_536))
      taken[1] = count
    }
  })()
  const isStuck = () => taken.splice(0, 2, taken[1] ?? 0, taken[1] ?? 0)[0] === taken[1]
  await expect.poll(isStuck, { interval: 200, timeout: 10_000 }).toBe(true)
  client.reset()
  await flood
  const gone = await weft.logLine((line) => line.response_flags === 'DC' && Number(line.bytes_received) >= 65_536)
  expect(gone).toMatchObject({ response_code: 101, route_name: 'edge' })
})

test('a tunnel in which nothing moves ends', async () => {
  const [client, wire] = await open('hasty')
  await Promise.all([client.ended(), wire.ended()])
  const line = await weft.logLine(({ route_name }) => route_name === 'hasty')
  expect(line).toMatchObject({ response_code: 101, response_flags: 'SI' })
})

test('an upstream that does not switch answers as ever, and the early bytes are the next request', async () => {
  const [client, wire] = await upgrade('edge', request('GET /next'))
  await wire.send(answer('no'))
  expect((await readAnswer(client)).body).toBe('no')
  const next = await upstream.next()
  expect((await readRequest(next)).start).toBe('GET /next HTTP/1.1')
  await next.send(answer('yes'))
  expect((await readAnswer(client)).body).toBe('yes')
  client.close()
})

test('an upstream that switches before it has the whole request is malformed', async () => {
  const client = await Wire.connect(weft.port('edge'))
  await client.send(request('POST /', ['Connection: Upgrade', 'Upgrade: raw/1', 'Content-Length: 10']))
  const wire = await upstream.next()
  await readHead(wire)
  await wire.send(switched)
  expect((await readAnswer(client)).status).toBe(502)
  client.close()
})
