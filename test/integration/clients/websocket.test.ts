/** WebSockets through the tunnel: Python's and Node's clients, Python's server. */
import { once } from 'node:events'
import http from 'node:http'
import { join } from 'node:path'
import { WebSocket } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clients, python } from '../../kit/clients.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, outputOf, Program } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

describe('a WebSocket', () => {
  let proxy: ProxyProcess
  let server: Program

  beforeEach(async () => {
    server = new Program(python, [join(clients, 'websocket_server.py')])
    const [, port] = await server.says(/port (\d+)/)
    proxy = await ProxyProcess.start(`127.0.0.1:${port}`)
  })

  it("of Python's client: large messages, fragments, pings and close codes", async () => {
    const client = [join(clients, 'websocket_client.py'), `ws://127.0.0.1:${proxy.port}/`]
    expect(await outputOf(python, client)).toBe('ok\n')
    expect(await proxy.stop()).toBe(0)
  })

  it("of Node's client: messages in their order, and the close code of either side", async () => {
    for (const [ask, code] of [
      ['client', 1000],
      ['server', 3456],
    ] as const) {
      const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
      await once(socket, 'open')
      const heard: unknown[] = []
      socket.addEventListener('message', ({ data }) => heard.push(data))
      for (let n = 0; n < 500; n++) socket.send(String(n))
      await expect.poll(() => heard.length, { timeout: 5000 }).toBe(500)
      expect(heard).toEqual(Array.from({ length: 500 }, (_, n) => String(n)))
      const closed = once(socket, 'close')
      if (ask === 'client') socket.close(code)
      else socket.send(`close ${code}`)
      expect((await closed)[0]).toMatchObject({ code, wasClean: true })
    }
    expect(await proxy.stop()).toBe(0)
  })

  it('whose server is killed ends with 1006, and the proxy counts no exchange as open', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await server.kill()
    expect((await closed)[0]).toMatchObject({ code: 1006 })
    expect(await proxy.stop()).toBe(0)
    expect(proxy.output).not.toContain('deadline')
  })
})

describe('an upgrade', () => {
  it('to another protocol carries bytes both ways, those sent with the head included', async () => {
    const upstream = await Upstream.start()
    upstream.server.on('upgrade', (_, socket, head) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nfirst ')
      if (head.length > 0) socket.write(head)
      socket.pipe(socket)
    })
    const proxy = await ProxyProcess.start(upstream.address)
    const request = http.get(proxy.url, { headers: { connection: 'upgrade', upgrade: 'echo' } })
    const [response, socket, early] = await once(request, 'upgrade')
    expect(response.headers).toMatchObject({ upgrade: 'echo', connection: 'upgrade' })
    let heard = String(early)
    socket.on('data', (data: Buffer) => {
      heard += data
    })
    socket.end('second')
    await once(socket, 'end')
    expect(heard).toBe('first second')
    expect(await proxy.stop()).toBe(0)
  })

  it('that the upstream does not take is an ordinary exchange', async () => {
    const proxy = await ProxyProcess.start((await Upstream.start()).address)
    const request = http.get(proxy.url, { headers: { connection: 'upgrade', upgrade: 'echo' } })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect([response.statusCode, Buffer.concat(await response.toArray()).toString()]).toEqual([200, 'app\n'])
    expect(await proxy.stop()).toBe(0)
  })
})
