/** Sockets that a module answers, as clients see them; the client is the `ws` package, and once Python's. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clients, python } from '../../kit/clients.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'
import { Client, endClients } from '../../kit/websocket-client.js'

const module = join(import.meta.dirname, '../../kit/sockets/live.mjs')
const tenant = { type: 'header-rewrite', request: { set: { 'x-tenant': 'acme' } } }

/** A proxy whose `/live/*` is the module's. */
function start(socket: object = {}, more: object = {}): Promise<ProxyProcess> {
  const sockets = [{ path: '/live/*', module, ...socket }]
  return ProxyProcess.start('127.0.0.1:9', {
    listener: {
      limits: {},
      accessLog: { path: '/dev/stdout', format: '%REQ(:PATH)% %RESPONSE_CODE%\n' },
      sockets,
      ...more,
    },
  })
}

afterEach(async () => {
  endClients()
  await endPrograms()
})

it('a module far from any node_modules may import the package, in two workers', async () => {
  const far = join(scratchFolder(), 'far.mjs')
  writeFileSync(
    far,
    `import { defineSocket } from 'weftmesh'
     export default defineSocket({ name: 'far', message: (socket, data) => void socket.send(data) })`,
  )
  const proxy = await ProxyProcess.start('127.0.0.1:9', {
    config: { workers: 2 },
    listener: { limits: {}, sockets: [{ path: '/far', module: far }] },
  })
  const client = await Client.open(`ws://127.0.0.1:${proxy.port}/far`)
  expect(await client.ask('heard')).toBe('heard')
})

describe('a socket of a module', () => {
  let proxy: ProxyProcess
  let url: string

  beforeEach(async () => {
    proxy = await start({ maxMessageBytes: '1MB', maxBufferedBytes: '1MB' }, { filters: [tenant] })
    url = `ws://127.0.0.1:${proxy.port}/live/room`
  })

  it('gets whole messages, text as text and bytes as bytes, and sends them', async () => {
    const client = await Client.open(url)
    expect(await client.ask('grüße')).toBe('grüße')
    expect(await client.ask(Buffer.from([0, 255]))).toEqual(Buffer.from([0, 255]))
    const large = Buffer.alloc(1_000_000, 'ab')
    expect(large.equals((await client.ask(large)) as Buffer)).toBe(true)
    client.socket.send('in ', { fin: false })
    client.socket.send('three ', { fin: false })
    client.socket.send('parts', { fin: true })
    expect(await client.next()).toBe('in three parts')
    for (let n = 0; n < 500; n++) client.socket.send(String(n))
    for (let n = 0; n < 500; n++) expect(await client.next()).toBe(String(n))
    expect(await proxy.stop()).toBe(0)
  })

  it('is given the request as filters left it, a state of its own and a subprotocol that both know', async () => {
    const [first, second] = [await Client.open(`${url}?a=1`, ['other', 'chat.v1']), await Client.open(url)]
    await first.ask('counted')
    expect(JSON.parse(String(await first.ask('head')))).toEqual({
      path: '/live/room',
      query: 'a=1',
      client: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      tenant: 'acme',
      state: { messages: 2 },
    })
    expect(JSON.parse(String(await second.ask('head')))).toMatchObject({ query: '', state: { messages: 1 } })
    expect([first.socket.protocol, second.socket.protocol]).toEqual(['chat.v1', ''])
    await proxy.says('/live/room?a=1 101')
  })

  it('may be refused by its handler, and that is recorded', async () => {
    const refused = await Client.refused(`${url}?refused`)
    expect(refused).toMatchObject({ status: 403, headers: { 'x-why': 'asked for it' }, body: 'not you\n' })
    await proxy.says('/live/room?refused 403')
    expect(await Client.refused(`${url}?broken`)).toMatchObject({ status: 500 })
    await proxy.says('/live/room?broken 500')
    expect(proxy.stderr).toContain('upgrade thrown on demand')
  })

  it('that throws or rejects is closed with 1011 and named in the log; others live', async () => {
    const [other, thrower, rejecter] = [await Client.open(url), await Client.open(url), await Client.open(url)]
    thrower.socket.send('throw')
    rejecter.socket.send('reject')
    expect((await thrower.closed).code).toBe(1011)
    expect((await rejecter.closed).code).toBe(1011)
    await proxy.says(/message handler failed.*thrown on demand.*live/)
    await proxy.says(/message handler failed.*rejected on demand.*live/)
    expect(await other.ask('still here')).toBe('still here')
  })

  it('is closed with the code of either side, which its close handler is told', async () => {
    const [asked, closing, gone] = [await Client.open(url), await Client.open(url), await Client.open(url)]
    asked.socket.send('close 4321')
    expect(await asked.closed).toEqual({ code: 4321, reason: 'as asked' })
    closing.socket.close(4002, 'enough')
    expect(await closing.closed).toEqual({ code: 4002, reason: 'enough' })
    gone.stream.destroy()
    await proxy.says(/closed.*code=4321 reason="as asked" messages=1/)
    await proxy.says(/closed.*code=4002 reason=enough messages=0/)
    await proxy.says(/closed.*code=1006/)
  })

  it('whose message is too large is closed with 1009', async () => {
    const client = await Client.open(url)
    client.socket.send(Buffer.alloc(1_000_001))
    expect((await client.closed).code).toBe(1009)
    await proxy.says(/a message is too large.*bytes=1000001/)
  })

  it('whose client does not read is closed with 1013 once it does, with all that it was sent before', async () => {
    const [slow, other] = [await Client.open(url), await Client.open(url)]
    slow.stopReading()
    slow.socket.send('flood 200')
    await proxy.says(/takes less than it is sent.*bufferedBytes=\d+/)
    expect(await other.ask('not delayed')).toBe('not delayed')
    slow.readOn()
    expect(await slow.closed).toEqual({ code: 1013, reason: 'too slow' })
    expect((await slow.next()).length).toBe(65_536)
  })

  it('whose client never reads is cut off within seconds', async () => {
    const slow = await Client.open(url)
    slow.stopReading()
    slow.socket.send('flood 200')
    await proxy.says(/closed.*code=1006/)
  })

  it('is told with 1001 when the proxy goes', async () => {
    const client = await Client.open(url)
    expect(await proxy.stop()).toBe(0)
    expect((await client.closed).code).toBe(1001)
  })

  it('takes upgrades of its paths only, and other requests there go the usual way', async () => {
    expect((await Client.refused(`ws://127.0.0.1:${proxy.port}/other`)).status).toBe(503)
    expect((await fetch(`http://127.0.0.1:${proxy.port}/live/room`)).status).toBe(503)
  })
})

describe('a listener with sockets', () => {
  it("speaks with Python's client: large messages, fragments, compression, pings and close codes", async () => {
    const proxy = await start({ maxMessageBytes: '16MiB', maxBufferedBytes: '32MiB', compression: 'shared' })
    const url = `ws://127.0.0.1:${proxy.port}/live/python`
    expect(await outputOf(python, [join(clients, 'websocket_client.py'), url])).toBe('ok\n')
    expect(await proxy.stop()).toBe(0)
  })

  it('lets its filters refuse an upgrade', async () => {
    const bucket = { name: 'one', tokens: 1, refill: 1, every: '1h' }
    const proxy = await start({}, { filters: [{ type: 'local-rate-limit', buckets: [bucket] }] })
    const url = `ws://127.0.0.1:${proxy.port}/live/room`
    await Client.open(url)
    expect((await Client.refused(url)).status).toBe(429)
    await proxy.says('/live/room 429')
  })

  it('does not start with a module that cannot be used, and keeps the last good one over a reload', async () => {
    const proxy = await start({ options: { greeting: 'hello' } })
    const client = await Client.open(`ws://127.0.0.1:${proxy.port}/live/room`)
    expect(await client.next()).toBe('hello')
    const change = (socket: object) => {
      const [listener] = proxy.config.listeners
      return { ...proxy.config, listeners: [{ ...listener, sockets: [{ path: '/live/*', module, ...socket }] }] }
    }
    const reload = async (socket: object, says: RegExp) => {
      proxy.write(change(socket) as typeof proxy.config)
      const from = proxy.output.length
      proxy.signal('SIGHUP')
      await proxy.says(says, from)
    }
    await reload({ options: { greeting: 7 } }, /options\.greeting: must be text.*listeners\[0\]\.sockets\[0\]/)
    await reload({ module: './missing.js' }, /there is no such file.*listeners\[0\]\.sockets\[0\]/)
    const other = join(import.meta.dirname, '../../kit/sockets/no-socket.mjs')
    await reload({ module: other }, /default export is no socket.*listeners\[0\]\.sockets\[0\]/)
    expect(await client.ask('still here')).toBe('still here')
    const again = await Client.open(`ws://127.0.0.1:${proxy.port}/live/room`)
    expect(await again.next()).toBe('hello')
  })
})
