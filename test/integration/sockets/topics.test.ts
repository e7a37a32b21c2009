/** Topics: from a socket, a handler or outside, to the subscribers of every thread. */
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { Client, endClients } from '../../kit/websocket-client.js'

const module = join(import.meta.dirname, '../../kit/sockets/live.mjs')

afterEach(async () => {
  endClients()
  await endPrograms()
})

function start(workers: number, socket: object = {}): Promise<ProxyProcess> {
  return ProxyProcess.start('127.0.0.1:9', {
    config: { workers },
    listener: { limits: {}, sockets: [{ path: '/live/*', module, ...socket }] },
  })
}

/** Clients that have subscribed, which their next answer proves. */
async function subscribed(url: string, count: number): Promise<Client[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => Client.open(url)))
  for (const client of clients) {
    client.socket.send('subscribe news')
    expect(await client.ask('subscribed')).toBe('subscribed')
  }
  return clients
}

describe('a topic', () => {
  it('reaches every other subscriber of three threads once and in order, and its publisher not', async () => {
    const proxy = await start(3)
    const url = `ws://127.0.0.1:${proxy.port}/live/room`
    const [publisher, ...others] = await subscribed(url, 24)
    for (let n = 0; n < 100; n++) publisher?.socket.send(`publish news item ${n}`)
    for (const client of others) {
      for (let n = 0; n < 100; n++) expect(await client.next()).toBe(`item ${n}`)
      expect(await client.ask('nothing else')).toBe('nothing else')
    }
    expect(await publisher?.ask('nothing for me')).toBe('nothing for me')
    expect(await proxy.stop()).toBe(0)
  })

  it('that was left reaches nobody', async () => {
    const proxy = await start(1)
    const [first, second] = await subscribed(`ws://127.0.0.1:${proxy.port}/live/room`, 2)
    second?.socket.send('unsubscribe news')
    expect(await second?.ask('left')).toBe('left')
    first?.socket.send('publish news unheard')
    expect(await first?.ask('published')).toBe('published')
    expect(await second?.ask('silence')).toBe('silence')
  })

  it('with a subscriber that does not read reaches the others at once; that one is closed with 1013', async () => {
    const proxy = await start(2, { maxBufferedBytes: '256KiB' })
    const [slow, ...others] = await subscribed(`ws://127.0.0.1:${proxy.port}/live/room`, 6)
    const [publisher, ...readers] = others
    slow?.stopReading()
    const text = 'x'.repeat(60_000)
    // One after the other: those that read keep up with it.
    for (let n = 0; n < 200; n++) {
      publisher?.socket.send(`publish news ${n}${text}`)
      for (const reader of readers) expect(String(await reader.next()).startsWith(`${n}x`)).toBe(true)
    }
    await proxy.says(/takes less than it is sent/)
    slow?.readOn()
    expect((await slow?.closed)?.code).toBe(1013)
    // What it got has no gap.
    expect(String(await slow?.next()).startsWith('0x')).toBe(true)
  })
})
