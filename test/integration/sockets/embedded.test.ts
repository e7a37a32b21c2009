/** Sockets on the caller's own loop: a handler in the configuration itself, and messages from outside. */
import { afterEach, describe, expect, it } from 'vitest'
import { Client, endClients } from '../../kit/websocket-client.js'

// The built package: the source has the addon of another folder.
const { defineSocket, startProxy } = (await import(
  new URL('../../../dist/index.js', import.meta.url).href
)) as typeof import('../../../src/index.js')

const live = defineSocket({
  name: 'live',
  state: () => ({ greeted: false }),
  open(socket) {
    socket.subscribe('news')
    socket.state.greeted = true
  },
  message(socket, data) {
    socket.send(`${socket.state.greeted} ${String(data)}`)
  },
})

function config(socket: object) {
  return {
    listeners: [{ name: 'feed', address: '127.0.0.1:0', sockets: [{ path: '/live', ...socket }] }],
  } as Parameters<typeof startProxy>[0]
}

afterEach(endClients)

describe('a socket on the own loop', () => {
  it('is answered by a definition in the configuration and hears what the program publishes', async () => {
    await using proxy = await startProxy(config({ handler: live }))
    const url = `ws://127.0.0.1:${proxy.address('feed').port}/live`
    const [one, two] = [await Client.open(url), await Client.open(url)]
    expect(await one.ask('hi')).toBe('true hi')
    proxy.publish('news', 'text')
    proxy.publish('news', Buffer.from([1, 2]))
    for (const client of [one, two]) {
      expect(await client.next()).toBe('text')
      expect(await client.next()).toEqual(Buffer.from([1, 2]))
    }
  })

  it('has its module instead where threads serve it; the program publishes to them too', async () => {
    await expect(startProxy(config({ handler: live }), { workers: 1 })).rejects.toMatchObject({
      code: 'WEFT_CONFIG_INVALID',
      issues: [{ path: 'listeners[0].sockets[0].handler', code: 'WEFT_SOCKET_MODULE' }],
    })
    const module = new URL('../../kit/sockets/live.mjs', import.meta.url)
    await using proxy = await startProxy(config({ module }), { workers: 2 })
    const url = `ws://127.0.0.1:${proxy.address('feed').port}/live`
    const clients = await Promise.all(Array.from({ length: 8 }, () => Client.open(url)))
    for (const client of clients) {
      client.socket.send('subscribe news')
      expect(await client.ask('subscribed')).toBe('subscribed')
    }
    for (let n = 0; n < 50; n++) proxy.publish('news', `item ${n}`)
    for (const client of clients) for (let n = 0; n < 50; n++) expect(await client.next()).toBe(`item ${n}`)
  })

  it.each([
    [{ path: '/live' }, 'listeners[0].sockets[0]'],
    [{ path: 'live', cluster: 'app' }, 'listeners[0].sockets[0].path'],
    [{ path: '/a/*/b', cluster: 'app' }, 'listeners[0].sockets[0].path'],
    [{ path: '/live', cluster: 'nobody' }, 'listeners[0].sockets[0].cluster'],
    [{ path: '/live', handler: {} }, 'listeners[0].sockets[0].handler'],
    [{ path: '/live', handler: live, idleTimeout: '1s' }, 'listeners[0].sockets[0].idleTimeout'],
  ])('is refused as %j', async (socket, path) => {
    const failed = startProxy(config(socket)).catch((error: { issues: { path: string }[] }) => error)
    expect(((await failed) as { issues: { path: string }[] }).issues.map((issue) => issue.path)).toContain(path)
  })
})
