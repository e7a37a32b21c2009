/** The example of a WebSocket fan-out in the README: a room for each path, over two workers. */
import { afterEach, expect, it } from 'vitest'
import { endPrograms } from '../../kit/program.js'
import { startExample } from '../../kit/program-example.js'
import { Client, endClients } from '../../kit/websocket-client.js'

afterEach(async () => {
  endClients()
  await endPrograms()
})

it('live carries what one client says to all others in the room, over two workers, and to no other room', async () => {
  const [weft, port] = await startExample('live')
  const open = (room: string, count: number) =>
    Promise.all(Array.from({ length: count }, () => Client.open(`ws://127.0.0.1:${port}/live/${room}`)))
  // Of so many all are with one worker once in 2 ** 23 times.
  const [speaker, ...listeners] = await open('lobby', 24)
  const [elsewhere, neighbour] = await open('attic', 2)
  for (let n = 0; n < 50; n++) speaker?.socket.send(`line ${n}`)
  for (const listener of listeners) {
    for (let n = 0; n < 50; n++) expect(await listener.next()).toBe(`line ${n}`)
  }
  // The first thing that the speaker and the other room hear is what is said there.
  listeners[0]?.socket.send('to the speaker')
  expect(await speaker?.next()).toBe('to the speaker')
  neighbour?.socket.send(Buffer.from([0, 255]))
  expect(await elsewhere?.next()).toEqual(Buffer.from([0, 255]))
  speaker?.socket.send('x'.repeat(16_385))
  expect((await speaker?.closed)?.code).toBe(1009)
  weft.signal('SIGTERM')
  expect((await elsewhere?.closed)?.code).toBe(1001)
  expect(await weft.end()).toBe(0)
})
