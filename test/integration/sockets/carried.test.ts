/** Sockets that a cluster answers: `ws` and Python on both ends. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { clients, python } from '../../kit/clients.js'
import { endPrograms, outputOf, Program } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { Client, endClients } from '../../kit/websocket-client.js'

const servers: WebSocketServer[] = []

/** An endpoint of the `ws` package that sends back what it gets and keeps its connections. */
class Endpoint {
  readonly server: WebSocketServer
  readonly connections: WebSocket[] = []
  readonly closes: { code: number; reason: string }[] = []

  private constructor(options: ServerOptions) {
    this.server = new WebSocketServer({ host: '127.0.0.1', port: 0, autoPong: true, ...options })
    servers.push(this.server)
    this.server.on('connection', (socket) => {
      this.connections.push(socket)
      socket.on('error', () => {})
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      socket.on('close', (code, reason) => this.closes.push({ code, reason: String(reason) }))
    })
  }

  static async start(options: ServerOptions = {}): Promise<Endpoint> {
    const endpoint = new Endpoint(options)
    await once(endpoint.server, 'listening')
    return endpoint
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  get last(): WebSocket {
    const socket = this.connections.at(-1)
    if (socket === undefined) throw new Error('nobody is connected')
    return socket
  }
}

function start(endpoints: string | string[], socket: object = {}): Promise<ProxyProcess> {
  const format = '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_HOST%\n'
  return ProxyProcess.start(endpoints, {
    listener: {
      limits: {},
      accessLog: { path: '/dev/stdout', format },
      sockets: [{ path: '/live/*', cluster: 'app', ...socket }],
    },
  })
}

afterEach(async () => {
  endClients()
  await endPrograms()
  for (const server of servers.splice(0)) {
    for (const socket of server.clients) socket.terminate()
    server.close()
  }
})

describe.each(['none', 'shared'])('a socket of a cluster with compression: %s', (compression) => {
  let endpoint: Endpoint
  let proxy: ProxyProcess
  let client: Client

  beforeEach(async () => {
    endpoint = await Endpoint.start({
      perMessageDeflate: compression !== 'none',
      handleProtocols: (offered) => [...offered].at(-1) ?? false,
    })
    proxy = await start(endpoint.address, { compression, maxMessageBytes: '8MiB' })
    client = await Client.open(`ws://127.0.0.1:${proxy.port}/live/a?b`, ['x', 'y'])
  })

  it('carries whole messages both ways, fragmented and large ones too, and the subprotocol', async () => {
    expect(client.socket.protocol).toBe('y')
    expect(endpoint.last.extensions).toBe(compression === 'none' ? '' : 'permessage-deflate')
    expect(await client.ask('grüße')).toBe('grüße')
    expect(await client.ask(Buffer.from([0, 255]))).toEqual(Buffer.from([0, 255]))
    const large = Buffer.alloc(5_000_000, 'abc')
    expect(large.equals((await client.ask(large)) as Buffer)).toBe(true)
    client.socket.send('two ', { fin: false })
    client.socket.send('parts', { fin: true })
    expect(await client.next()).toBe('two parts')
    endpoint.last.send('from the endpoint ', { fin: false })
    endpoint.last.send('in parts', { fin: true })
    expect(await client.next()).toBe('from the endpoint in parts')
    for (let n = 0; n < 300; n++) client.socket.send(String(n))
    for (let n = 0; n < 300; n++) expect(await client.next()).toBe(String(n))
  })

  it('carries pings to the other end, and the pong back to an endpoint that asked', async () => {
    const pinged = once(endpoint.last, 'ping')
    client.socket.ping('hello')
    expect(String((await pinged)[0])).toBe('hello')
    const ponged = once(endpoint.last, 'pong')
    endpoint.last.ping('still there?')
    expect(String((await ponged)[0])).toBe('still there?')
  })

  it.each([1000, 1001, 4321])('carries the close code %i of either side', async (code) => {
    const ended = once(endpoint.last, 'close')
    client.socket.close(code, 'from the client')
    await Promise.all([ended, client.closed])
    expect(endpoint.closes.at(-1)).toEqual({ code, reason: 'from the client' })
    const other = await Client.open(`ws://127.0.0.1:${proxy.port}/live/a`)
    endpoint.last.close(code, 'from the endpoint')
    expect(await other.closed).toEqual({ code, reason: 'from the endpoint' })
    await proxy.says(`/live/a?b 101 - ${endpoint.address}`)
  })

  it('is paused at the endpoint while its client does not read, and loses nothing', async () => {
    client.stopReading()
    const message = Buffer.alloc(65_536, 'x')
    for (let n = 0; n < 400; n++) endpoint.last.send(message)
    if (compression === 'none') expect(endpoint.last.bufferedAmount).toBeGreaterThan(1_000_000)
    client.readOn()
    for (let n = 0; n < 400; n++) expect((await client.next()).length).toBe(65_536)
  })
})

describe('a socket of a cluster', () => {
  it('whose endpoint does not read is closed with 1013 when its client floods it, and that is recorded', async () => {
    const endpoint = await Endpoint.start()
    const proxy = await start(endpoint.address, { maxBufferedBytes: '1MiB' })
    const client = await Client.open(`ws://127.0.0.1:${proxy.port}/live/a`)
    await client.ask('first')
    ;(endpoint.last as unknown as { _socket: Socket })._socket.pause()
    const flood = setInterval(() => client.socket.send(Buffer.alloc(500_000)), 2)
    expect((await client.closed).code).toBe(1013)
    clearInterval(flood)
    await proxy.says(/sends more than its endpoint takes.*bytes=\d+/)
    await proxy.says(/\/live\/a 101 DC/)
  })

  it('ends with 1014 when its endpoint is gone or floods with too large a message, which is told 1009', async () => {
    const endpoint = await Endpoint.start()
    const proxy = await start(endpoint.address, { maxMessageBytes: '1MB' })
    const [gone, flooded] = [
      await Client.open(`ws://127.0.0.1:${proxy.port}/live/a`),
      await Client.open(`ws://127.0.0.1:${proxy.port}/live/b`),
    ]
    const ended = once(endpoint.last, 'close')
    endpoint.last.send(Buffer.alloc(1_000_001))
    expect((await flooded.closed).code).toBe(1014)
    expect((await ended)[0]).toBe(1009)
    endpoint.connections[0]?.terminate()
    expect((await gone.closed).code).toBe(1014)
  })

  it('ends at its endpoint when its client is gone', async () => {
    const endpoint = await Endpoint.start()
    const proxy = await start(endpoint.address)
    const client = await Client.open(`ws://127.0.0.1:${proxy.port}/live/a`)
    const ended = once(endpoint.last, 'close')
    client.stream.destroy()
    expect((await ended)[0]).toBe(1006)
    expect(await proxy.stop()).toBe(0)
  })

  it('is shared out by the cluster’s balancer, and refused as any request when nobody answers', async () => {
    const [one, two] = [await Endpoint.start(), await Endpoint.start()]
    const proxy = await start([one.address, two.address])
    for (let n = 0; n < 4; n++) await Client.open(`ws://127.0.0.1:${proxy.port}/live/a`)
    expect([one.connections.length, two.connections.length]).toEqual([2, 2])
    const nobody = await start('127.0.0.1:9')
    expect((await Client.refused(`ws://127.0.0.1:${nobody.port}/live/a`)).status).toBe(503)
  })

  it('passes on the answer of an endpoint that refuses the upgrade', async () => {
    const endpoint = await Endpoint.start({ verifyClient: (_, done) => done(false, 403, 'not you') })
    const proxy = await start(endpoint.address)
    const refused = await Client.refused(`ws://127.0.0.1:${proxy.port}/live/a`)
    expect(refused).toMatchObject({ status: 403, body: 'not you' })
    await proxy.says('/live/a 403')
  })

  it('works between Python’s client and Python’s server', async () => {
    const server = new Program(python, [join(clients, 'websocket_server.py')])
    const [, port] = await server.says(/port (\d+)/)
    const bounds = { maxMessageBytes: '16MiB', maxBufferedBytes: '32MiB', compression: 'shared' }
    const proxy = await start(`127.0.0.1:${port}`, bounds)
    const client = [join(clients, 'websocket_client.py'), `ws://127.0.0.1:${proxy.port}/live/a`]
    expect(await outputOf(python, client)).toBe('ok\n')
    expect(await proxy.stop()).toBe(0)
  })
})
