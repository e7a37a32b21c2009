/** What crosses between TypeScript and the engine for requests that TypeScript takes in: the events, one by one. */
import { unpack } from 'msgpackr'
import { afterEach, expect, test } from 'vitest'
import { type DoorClient, doorEvent, enterDoor, leaveDoor, openDoor } from '../../../src/native/door.js'
import { loadAddon, type RecordList } from '../../../src/native/index.js'
import type { Snapshot } from '../../../src/native/snapshot.js'
import { encodeSnapshot } from '../../../src/proxy/encode-snapshot.js'
import { prepareConfig } from '../../../src/proxy/prepare.js'
import { answer, readHead, readRequest } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'

const addon = loadAddon()
const ids: number[] = []
const none = new Uint8Array(0)

afterEach(() => {
  for (const id of ids.splice(0)) addon.closeProxy(id)
})

const eventNames = Object.fromEntries(Object.entries(doorEvent).map(([name, number]) => [number, name]))

/** Remembers what it is told, and lets a test wait for it. */
class Told implements DoorClient {
  events: string[] = []
  number = -1
  private wake = () => {}

  told(event: number, head: string | null, bytes: Uint8Array | null, length: number): void {
    const start = head === null ? [] : [head.split('\r\n')[0]]
    const body = bytes === null ? [] : [Buffer.from(bytes).toString('latin1')]
    this.events.push([eventNames[event], ...start, ...body, ...(length < 0 ? [] : [length])].join(' '))
    this.wake()
  }

  async until(event: string): Promise<string> {
    for (;;) {
      const found = this.events.find((each) => each.startsWith(event))
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }
}

async function door({ sockets = [] as string[], filters = [] as object[], route = {} } = {}) {
  const upstream = await ScriptedUpstream.open()
  const { snapshot } = await prepareConfig({
    listeners: [{ name: 'in', address: 'memory', filters }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }], ...route }],
    clusters: [{ name: 'app', endpoints: [`127.0.0.1:${upstream.port}`] }],
  } as Parameters<typeof prepareConfig>[0])
  const compiled = unpack(Buffer.from(snapshot)) as Snapshot
  for (const listener of compiled.listeners) listener.sockets = sockets
  const id = addon.createProxy('test', 1)
  ids.push(id)
  expect(JSON.parse(addon.apply(id, encodeSnapshot(compiled)))).toMatchObject({ rejected: [] })
  addon.attach(id, 0)
  const place = openDoor(addon, id, 'in')
  const enter = (head: string, more = false) => {
    const told = new Told()
    told.number = enterDoor(addon, place, '10.0.0.9:1234', `${head.replaceAll('\n', '\r\n')}\r\n\r\n`, more, told)
    return told
  }
  const records = () => (JSON.parse(addon.records(id, '{}')) as RecordList).records
  return { id, upstream, enter, records }
}

const upgrade = 'GET /live/news?a=1 HTTP/1.1\nhost: app\nconnection: upgrade\nupgrade: websocket\nx-one: 1'

test('a short answer is one event, a streamed one begins before it ends', async () => {
  const { upstream, enter, records } = await door()
  const whole = enter('GET / HTTP/1.1\nhost: app')
  const wire = await upstream.next()
  expect((await readRequest(wire)).lines).toContain('x-forwarded-for: 10.0.0.9')
  await wire.send(answer('hello'))
  expect(await whole.until('wholeAnswer')).toBe('wholeAnswer 200 OK hello 5')
  const streamed = enter('GET / HTTP/1.1\nhost: app')
  await readRequest(wire)
  await wire.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n')
  expect(await streamed.until('answer')).toBe('answer 200 OK abc')
  await wire.send('1\r\nd\r\n0\r\n\r\n')
  await streamed.until('bodyEnd')
  expect(streamed.events.join(' ')).toMatch(/^answer 200 OK abc (body d bodyEnd|bodyEnd d)$/)
  expect(records().map(({ status, responseBytes }) => [status, responseBytes])).toEqual([
    [200, 4],
    [200, 5],
  ])
})

test('an answer comes no further than its client takes it', async () => {
  const { upstream, enter } = await door()
  const told = enter('GET / HTTP/1.1\nhost: app')
  const wire = await upstream.next()
  await readRequest(wire)
  await wire.send('HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nabcd')
  await told.until('answer')
  addon.doorPause(told.number)
  await wire.send('efgh')
  // Another request's answer has come all the way meanwhile.
  const other = enter('GET / HTTP/1.1\nhost: app')
  const second = await upstream.next()
  await readRequest(second)
  await second.send(answer())
  await other.until('wholeAnswer')
  expect(told.events).toEqual(['answer 200 OK abcd 8'])
  addon.doorResume(told.number)
  expect(await told.until('bodyEnd')).toBe('bodyEnd efgh')
})

test('a body that its endpoint does not take is stopped, and goes on with the event', async () => {
  const { upstream, enter } = await door()
  const told = enter('POST / HTTP/1.1\nhost: app\ntransfer-encoding: chunked', true)
  const wire = await upstream.next()
  await readHead(wire)
  wire.socket.pause()
  const chunk = Buffer.alloc(60_000, 'x')
  let sent = 0
  while (sent < 100_000_000) {
    sent += chunk.length
    if (!addon.doorBody(told.number, chunk, false)) {
      const drained = Promise.race([
        told.until('drain').then(() => true),
        new Promise<boolean>((resolve) => setTimeout(resolve, 200, false)),
      ])
      if (!(await drained)) break
      told.events = []
    }
  }
  expect(sent).toBeLessThan(50_000_000)
  wire.socket.resume()
  await told.until('drain')
  addon.doorBody(told.number, none, true)
  await wire.takeThrough('\r\n0\r\n\r\n')
  await wire.send(answer())
  await told.until('wholeAnswer')
})

test('what cannot be one request is refused and never reaches an endpoint', async () => {
  const { enter, records } = await door()
  for (const [head, status] of [
    ['GET / HTTP/1.1', '400'],
    ['GET / HTTP/1.1\nhost: a\nhost: b', '400'],
    ['GET / HTTP/1.1\nhost: a\ncontent-length: 1\ntransfer-encoding: chunked', '400'],
    ['GET / HTTP/1.1\nhost: a\n\nGET /b HTTP/1.1\nhost: a', '400'],
    ['GET / HTTP/1.1\nhost: a\ntransfer-encoding: gzip, chunked', '501'],
    ['nonsense', '400'],
  ]) {
    expect([head, (await enter(head ?? '').until('wholeAnswer')).slice(0, 15)]).toEqual([head, `wholeAnswer ${status}`])
  }
  // Cut down to bytes these would be the end of a line.
  expect(() => enter('GET / HTTP/1.1\nhost: a\nx: \u010d\u010ay: z')).toThrow(/latin1/)
  expect(records()).toHaveLength(6)
})

test('a client that goes away is told nothing more, and its exchange is recorded as given up', async () => {
  const { upstream, enter, records } = await door()
  const told = enter('GET / HTTP/1.1\nhost: app')
  const wire = await upstream.next()
  await readRequest(wire)
  leaveDoor(addon, told.number)
  await wire.ended()
  expect(told.events).toEqual([])
  expect(records()[0]).toMatchObject({ flag: 'DC' })
  // Its number is nobody's: late calls reach nothing.
  leaveDoor(addon, told.number)
  expect(addon.doorBody(told.number, Buffer.from('late'), true)).toBe(true)
})

test('an answer that breaks off is told as broken', async () => {
  const { upstream, enter } = await door()
  for (const framing of ['content-length: 9\r\n\r\nabc', 'transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n']) {
    const told = enter('GET / HTTP/1.1\nhost: app')
    const wire = await upstream.next()
    await readRequest(wire)
    await wire.send(`HTTP/1.1 200 OK\r\n${framing}`)
    await told.until('answer')
    wire.reset()
    await told.until('broken')
  }
})

test('a WebSocket of the door is let in by the filters, and the door says what became of it', async () => {
  const bucket = { type: 'local-rate-limit', buckets: [{ name: 'two', tokens: 2, refill: 1, every: '5h' }] }
  const { enter, records } = await door({ sockets: ['/live/*'], filters: [bucket] })
  const taken = enter(upgrade, true)
  expect(await taken.until('socket')).toBe('socket GET /live/news?a=1 HTTP/1.1')
  addon.doorBody(taken.number, Buffer.from('101'), true)
  await taken.until('bodyEnd')
  const refused = enter(upgrade, true)
  await refused.until('socket')
  addon.doorBody(refused.number, Buffer.from('403'), true)
  await refused.until('bodyEnd')
  expect(await enter(upgrade, true).until('wholeAnswer')).toMatch(/^wholeAnswer 429 /)
  expect(records().map(({ status }) => status)).toEqual([429, 403, 101])
})

test('another upgrade is its cluster’s, and becomes a raw stream both ways', async () => {
  const { upstream, enter } = await door({ sockets: ['/other'] })
  const told = enter(upgrade, true)
  const wire = await upstream.next()
  expect((await readHead(wire)).lines).toContain('upgrade: websocket')
  await wire.send('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhi')
  expect(await told.until('answer')).toBe('answer 101 Switching Protocols hi')
  addon.doorBody(told.number, Buffer.from('up'), false)
  expect(await wire.take(2)).toBe('up')
  addon.doorBody(told.number, none, true)
  await wire.ended()
  wire.finish()
  await told.until('bodyEnd')
})
